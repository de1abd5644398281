module @"memorizing-transformer" {
  func.func public @main(%arg0: tensor<16x8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8x8xf32>, %arg3: tensor<8x8xf32>, %arg4: tensor<8x8xf32>, %arg5: tensor<8x8xf32>, %arg6: tensor<2xf32>, %arg7: tensor<32x2xf32>, %arg8: tensor<2xf32>, %arg9: tensor<8xf32>, %arg10: tensor<8x16xf32>, %arg11: tensor<16xf32>, %arg12: tensor<16x8xf32>, %arg13: tensor<8xf32>, %arg14: tensor<8xf32>, %arg15: tensor<2xi32> {tf.aliasing_output = 1 : i32}, %arg16: tensor<2x2x4x4xbf16> {tf.aliasing_output = 2 : i32}, %arg17: tensor<2x2x4x4xbf16> {tf.aliasing_output = 3 : i32}, %arg18: tensor<i32> {tf.aliasing_output = 4 : i32}, %arg19: tensor<2xi32> {tf.aliasing_output = 5 : i32}, %arg20: tensor<2x2x10x4xf32> {tf.aliasing_output = 6 : i32}, %arg21: tensor<2x2x10x4xf32> {tf.aliasing_output = 7 : i32}, %arg22: tensor<2x4xi32>, %arg23: tensor<2xi1>) -> (tensor<2x4x16xf32>, tensor<2xi32>, tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>, tensor<i32>, tensor<2xi32>, tensor<2x2x10x4xf32>, tensor<2x2x10x4xf32>) {
    %0 = stablehlo.constant dense<0> : tensor<2xi32>
    %1 = stablehlo.select %arg23, %0, %arg15 : tensor<2xi1>, tensor<2xi32>
    %2 = stablehlo.iota dim = 2 : tensor<1x1x8xi32>
    %3 = stablehlo.iota dim = 1 : tensor<1x4x1xi32>
    %4 = stablehlo.constant dense<4> : tensor<1x4x1xi32>
    %5 = stablehlo.add %3, %4 : tensor<1x4x1xi32>
    %6 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<1x1x8xi32>) -> tensor<1x4x8xi32>
    %7 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2] : (tensor<1x4x1xi32>) -> tensor<1x4x8xi32>
    %8 = stablehlo.compare LE, %6, %7, SIGNED : (tensor<1x4x8xi32>, tensor<1x4x8xi32>) -> tensor<1x4x8xi1>
    %9 = stablehlo.constant dense<4> : tensor<2xi32>
    %10 = stablehlo.subtract %9, %1 : tensor<2xi32>
    %11 = stablehlo.reshape %10 : (tensor<2xi32>) -> tensor<2x1x1xi32>
    %12 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<1x1x8xi32>) -> tensor<2x1x8xi32>
    %13 = stablehlo.broadcast_in_dim %11, dims = [0, 1, 2] : (tensor<2x1x1xi32>) -> tensor<2x1x8xi32>
    %14 = stablehlo.compare GE, %12, %13, SIGNED : (tensor<2x1x8xi32>, tensor<2x1x8xi32>) -> tensor<2x1x8xi1>
    %15 = stablehlo.broadcast_in_dim %8, dims = [0, 1, 2] : (tensor<1x4x8xi1>) -> tensor<2x4x8xi1>
    %16 = stablehlo.broadcast_in_dim %14, dims = [0, 1, 2] : (tensor<2x1x8xi1>) -> tensor<2x4x8xi1>
    %17 = stablehlo.and %15, %16 : tensor<2x4x8xi1>
    %18 = stablehlo.iota dim = 0 : tensor<12x1xi32>
    %19 = stablehlo.constant dense<8> : tensor<12x1xi32>
    %20 = stablehlo.compare LT, %18, %19, SIGNED : (tensor<12x1xi32>, tensor<12x1xi32>) -> tensor<12x1xi1>
    %21 = stablehlo.constant dense<12> : tensor<12x1xi32>
    %22 = stablehlo.subtract %18, %21 : tensor<12x1xi32>
    %23 = stablehlo.select %20, %18, %22 : tensor<12x1xi1>, tensor<12x1xi32>
    %24 = stablehlo.constant dense<4> : tensor<12x1xi32>
    %25 = stablehlo.subtract %24, %23 : tensor<12x1xi32>
    %26 = stablehlo.constant dense<0> : tensor<12x1xi32>
    %27 = stablehlo.maximum %25, %26 : tensor<12x1xi32>
    %28 = stablehlo.broadcast_in_dim %27, dims = [0, 1] : (tensor<12x1xi32>) -> tensor<12x32xi32>
    %29 = stablehlo.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]> : tensor<32xi32>
    %30 = stablehlo.broadcast_in_dim %29, dims = [1] : (tensor<32xi32>) -> tensor<12x32xi32>
    %31 = stablehlo.constant dense<[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113, 2147483647]> : tensor<32xi32>
    %32 = stablehlo.broadcast_in_dim %31, dims = [1] : (tensor<32xi32>) -> tensor<12x32xi32>
    %33 = stablehlo.compare GE, %28, %30, SIGNED : (tensor<12x32xi32>, tensor<12x32xi32>) -> tensor<12x32xi1>
    %34 = stablehlo.compare LT, %28, %32, SIGNED : (tensor<12x32xi32>, tensor<12x32xi32>) -> tensor<12x32xi1>
    %35 = stablehlo.and %33, %34 : tensor<12x32xi1>
    %36 = stablehlo.convert %35 : (tensor<12x32xi1>) -> tensor<12x32xf32>
    %37 = stablehlo.select %arg23, %0, %arg19 : tensor<2xi1>, tensor<2xi32>
    %38 = stablehlo.iota dim = 0 : tensor<10xi32>
    %39 = stablehlo.constant dense<1> : tensor<i32>
    %40 = stablehlo.subtract %arg18, %39 : tensor<i32>
    %41 = stablehlo.broadcast_in_dim %40, dims = [] : (tensor<i32>) -> tensor<10xi32>
    %42 = stablehlo.subtract %41, %38 : tensor<10xi32>
    %43 = stablehlo.constant dense<0> : tensor<10xi32>
    %44 = stablehlo.compare LT, %42, %43, SIGNED : (tensor<10xi32>, tensor<10xi32>) -> tensor<10xi1>
    %45 = stablehlo.constant dense<10> : tensor<10xi32>
    %46 = stablehlo.add %42, %45 : tensor<10xi32>
    %47 = stablehlo.select %44, %46, %42 : tensor<10xi1>, tensor<10xi32>
    %48 = stablehlo.reshape %47 : (tensor<10xi32>) -> tensor<1x10xi32>
    %49 = stablehlo.reshape %37 : (tensor<2xi32>) -> tensor<2x1xi32>
    %50 = stablehlo.broadcast_in_dim %48, dims = [0, 1] : (tensor<1x10xi32>) -> tensor<2x10xi32>
    %51 = stablehlo.broadcast_in_dim %49, dims = [0, 1] : (tensor<2x1xi32>) -> tensor<2x10xi32>
    %52 = stablehlo.compare LT, %50, %51, SIGNED : (tensor<2x10xi32>, tensor<2x10xi32>) -> tensor<2x10xi1>
    %53 = "stablehlo.gather"(%arg0, %arg22) <{dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<16x8xf32>, tensor<2x4xi32>) -> tensor<2x4x8xf32>
    %54 = stablehlo.convert %53 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %55 = stablehlo.convert %54 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %56 = stablehlo.multiply %55, %55 : tensor<2x4x8xf32>
    %57 = stablehlo.constant dense<0.0> : tensor<f32>
    %58 = stablehlo.reduce(%56 init: %57) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %59 = stablehlo.broadcast_in_dim %58, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %60 = stablehlo.constant dense<8.0> : tensor<2x4x1xf32>
    %61 = stablehlo.divide %59, %60 : tensor<2x4x1xf32>
    %62 = stablehlo.constant dense<9.999999974752427e-7> : tensor<2x4x1xf32>
    %63 = stablehlo.add %61, %62 : tensor<2x4x1xf32>
    %64 = stablehlo.rsqrt %63 : tensor<2x4x1xf32>
    %65 = stablehlo.broadcast_in_dim %64, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %66 = stablehlo.multiply %55, %65 : tensor<2x4x8xf32>
    %67 = stablehlo.broadcast_in_dim %arg1, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %68 = stablehlo.multiply %66, %67 : tensor<2x4x8xf32>
    %69 = stablehlo.convert %68 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %70 = stablehlo.convert %arg2 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %71 = stablehlo.dot_general %69, %70, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %72 = stablehlo.reshape %71 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %73 = stablehlo.transpose %72, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %74 = stablehlo.convert %arg3 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %75 = stablehlo.dot_general %69, %74, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %76 = stablehlo.reshape %75 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %77 = stablehlo.transpose %76, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %78 = stablehlo.convert %arg4 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %79 = stablehlo.dot_general %69, %78, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %80 = stablehlo.reshape %79 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %81 = stablehlo.transpose %80, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %82 = stablehlo.convert %73 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %83 = stablehlo.multiply %82, %82 : tensor<2x2x4x4xf32>
    %84 = stablehlo.reduce(%83 init: %57) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x4xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %85 = stablehlo.broadcast_in_dim %84, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %86 = stablehlo.constant dense<9.999999974752427e-7> : tensor<2x2x4x1xf32>
    %87 = stablehlo.add %85, %86 : tensor<2x2x4x1xf32>
    %88 = stablehlo.rsqrt %87 : tensor<2x2x4x1xf32>
    %89 = stablehlo.broadcast_in_dim %88, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x4xf32>
    %90 = stablehlo.multiply %82, %89 : tensor<2x2x4x4xf32>
    %91 = stablehlo.broadcast_in_dim %arg6, dims = [1] : (tensor<2xf32>) -> tensor<2x2x4x4xf32>
    %92 = stablehlo.multiply %90, %91 : tensor<2x2x4x4xf32>
    %93 = stablehlo.convert %92 : (tensor<2x2x4x4xf32>) -> tensor<2x2x4x4xbf16>
    %94 = stablehlo.convert %77 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %95 = stablehlo.multiply %94, %94 : tensor<2x2x4x4xf32>
    %96 = stablehlo.reduce(%95 init: %57) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x4xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %97 = stablehlo.broadcast_in_dim %96, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %98 = stablehlo.add %97, %86 : tensor<2x2x4x1xf32>
    %99 = stablehlo.rsqrt %98 : tensor<2x2x4x1xf32>
    %100 = stablehlo.broadcast_in_dim %99, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x4xf32>
    %101 = stablehlo.multiply %94, %100 : tensor<2x2x4x4xf32>
    %102 = stablehlo.convert %101 : (tensor<2x2x4x4xf32>) -> tensor<2x2x4x4xbf16>
    %103 = stablehlo.concatenate %arg16, %102, dim = 2 : (tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x8x4xbf16>
    %104 = stablehlo.concatenate %arg17, %81, dim = 2 : (tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x8x4xbf16>
    %105 = stablehlo.slice %103 [0:2, 0:2, 4:8, 0:4] : (tensor<2x2x8x4xbf16>) -> tensor<2x2x4x4xbf16>
    %106 = stablehlo.slice %104 [0:2, 0:2, 4:8, 0:4] : (tensor<2x2x8x4xbf16>) -> tensor<2x2x4x4xbf16>
    %107 = stablehlo.dot_general %arg7, %36, contracting_dims = [0] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x2xf32>, tensor<12x32xf32>) -> tensor<2x12xf32>
    %108 = stablehlo.broadcast_in_dim %107, dims = [0, 2] : (tensor<2x12xf32>) -> tensor<2x4x12xf32>
    %109 = stablehlo.reshape %108 : (tensor<2x4x12xf32>) -> tensor<2x48xf32>
    %110 = stablehlo.slice %109 [0:2, 0:44] : (tensor<2x48xf32>) -> tensor<2x44xf32>
    %111 = stablehlo.reshape %110 : (tensor<2x44xf32>) -> tensor<2x4x11xf32>
    %112 = stablehlo.slice %111 [0:2, 0:4, 0:8] : (tensor<2x4x11xf32>) -> tensor<2x4x8xf32>
    %113 = stablehlo.dot_general %93, %103, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x2x8x4xbf16>) -> tensor<2x2x4x8xf32>
    %114 = stablehlo.broadcast_in_dim %112, dims = [1, 2, 3] : (tensor<2x4x8xf32>) -> tensor<2x2x4x8xf32>
    %115 = stablehlo.add %113, %114 : tensor<2x2x4x8xf32>
    %116 = stablehlo.broadcast_in_dim %17, dims = [0, 2, 3] : (tensor<2x4x8xi1>) -> tensor<2x2x4x8xi1>
    %117 = stablehlo.constant dense<0xFF800000> : tensor<2x2x4x8xf32>
    %118 = stablehlo.select %116, %115, %117 : tensor<2x2x4x8xi1>, tensor<2x2x4x8xf32>
    %119 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %120 = stablehlo.reduce(%118 init: %119) applies stablehlo.maximum across dimensions = [3] : (tensor<2x2x4x8xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %121 = stablehlo.broadcast_in_dim %120, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %122 = stablehlo.constant dense<-3.4028234663852886e+38> : tensor<2x2x4x1xf32>
    %123 = stablehlo.maximum %121, %122 : tensor<2x2x4x1xf32>
    %124 = stablehlo.broadcast_in_dim %123, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x8xf32>
    %125 = stablehlo.subtract %118, %124 : tensor<2x2x4x8xf32>
    %126 = stablehlo.exponential %125 : tensor<2x2x4x8xf32>
    %127 = stablehlo.reduce(%126 init: %57) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x8xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %128 = stablehlo.broadcast_in_dim %127, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %129 = stablehlo.constant dense<0.0> : tensor<2x2x4x1xf32>
    %130 = stablehlo.compare EQ, %128, %129, FLOAT : (tensor<2x2x4x1xf32>, tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xi1>
    %131 = stablehlo.constant dense<1.0> : tensor<2x2x4x1xf32>
    %132 = stablehlo.select %130, %131, %128 : tensor<2x2x4x1xi1>, tensor<2x2x4x1xf32>
    %133 = stablehlo.divide %131, %132 : tensor<2x2x4x1xf32>
    %134 = stablehlo.broadcast_in_dim %133, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x8xf32>
    %135 = stablehlo.multiply %126, %134 : tensor<2x2x4x8xf32>
    %136 = stablehlo.convert %135 : (tensor<2x2x4x8xf32>) -> tensor<2x2x4x8xbf16>
    %137 = stablehlo.dot_general %136, %104, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x8xbf16>, tensor<2x2x8x4xbf16>) -> tensor<2x2x4x4xbf16>
    %138 = stablehlo.convert %93 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %139 = stablehlo.dot_general %138, %arg20, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xf32>, tensor<2x2x10x4xf32>) -> tensor<2x2x4x10xf32>
    %140 = stablehlo.broadcast_in_dim %52, dims = [0, 3] : (tensor<2x10xi1>) -> tensor<2x2x4x10xi1>
    %141 = stablehlo.constant dense<0xFF800000> : tensor<2x2x4x10xf32>
    %142 = stablehlo.select %140, %139, %141 : tensor<2x2x4x10xi1>, tensor<2x2x4x10xf32>
    %143 = stablehlo.iota dim = 3 : tensor<2x2x4x10xi32>
    %144:2 = "stablehlo.sort"(%142, %143) <{dimension = 3 : i64, is_stable = true}> ({
    ^bb0(%arg24: tensor<f32>, %arg25: tensor<f32>, %arg26: tensor<i32>, %arg27: tensor<i32>):
      %145 = stablehlo.compare GT, %arg24, %arg25, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %145 : tensor<i1>
    }) : (tensor<2x2x4x10xf32>, tensor<2x2x4x10xi32>) -> (tensor<2x2x4x10xf32>, tensor<2x2x4x10xi32>)
    %146 = stablehlo.slice %144#0 [0:2, 0:2, 0:4, 0:3] : (tensor<2x2x4x10xf32>) -> tensor<2x2x4x3xf32>
    %147 = stablehlo.slice %144#1 [0:2, 0:2, 0:4, 0:3] : (tensor<2x2x4x10xi32>) -> tensor<2x2x4x3xi32>
    %148 = stablehlo.constant dense<0xFF800000> : tensor<2x2x4x3xf32>
    %149 = stablehlo.compare GT, %146, %148, FLOAT : (tensor<2x2x4x3xf32>, tensor<2x2x4x3xf32>) -> tensor<2x2x4x3xi1>
    %150 = "stablehlo.gather"(%arg20, %147) <{dimension_numbers = #stablehlo.gather<offset_dims = [4], collapsed_slice_dims = [2], operand_batching_dims = [0, 1], start_indices_batching_dims = [0, 1], start_index_map = [2], index_vector_dim = 4>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1, 1, 4>}> : (tensor<2x2x10x4xf32>, tensor<2x2x4x3xi32>) -> tensor<2x2x4x3x4xf32>
    %151 = stablehlo.convert %150 : (tensor<2x2x4x3x4xf32>) -> tensor<2x2x4x3x4xbf16>
    %152 = "stablehlo.gather"(%arg21, %147) <{dimension_numbers = #stablehlo.gather<offset_dims = [4], collapsed_slice_dims = [2], operand_batching_dims = [0, 1], start_indices_batching_dims = [0, 1], start_index_map = [2], index_vector_dim = 4>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1, 1, 4>}> : (tensor<2x2x10x4xf32>, tensor<2x2x4x3xi32>) -> tensor<2x2x4x3x4xf32>
    %153 = stablehlo.convert %152 : (tensor<2x2x4x3x4xf32>) -> tensor<2x2x4x3x4xbf16>
    %154 = stablehlo.dot_general %93, %151, batching_dims = [0, 1, 2] x [0, 1, 2], contracting_dims = [3] x [4], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x2x4x3x4xbf16>) -> tensor<2x2x4x3xf32>
    %155 = stablehlo.select %149, %154, %148 : tensor<2x2x4x3xi1>, tensor<2x2x4x3xf32>
    %156 = stablehlo.reduce(%155 init: %119) applies stablehlo.maximum across dimensions = [3] : (tensor<2x2x4x3xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %157 = stablehlo.broadcast_in_dim %156, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %158 = stablehlo.maximum %157, %122 : tensor<2x2x4x1xf32>
    %159 = stablehlo.broadcast_in_dim %158, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x3xf32>
    %160 = stablehlo.subtract %155, %159 : tensor<2x2x4x3xf32>
    %161 = stablehlo.exponential %160 : tensor<2x2x4x3xf32>
    %162 = stablehlo.reduce(%161 init: %57) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x3xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %163 = stablehlo.broadcast_in_dim %162, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %164 = stablehlo.compare EQ, %163, %129, FLOAT : (tensor<2x2x4x1xf32>, tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xi1>
    %165 = stablehlo.select %164, %131, %163 : tensor<2x2x4x1xi1>, tensor<2x2x4x1xf32>
    %166 = stablehlo.divide %131, %165 : tensor<2x2x4x1xf32>
    %167 = stablehlo.broadcast_in_dim %166, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x3xf32>
    %168 = stablehlo.multiply %161, %167 : tensor<2x2x4x3xf32>
    %169 = stablehlo.convert %168 : (tensor<2x2x4x3xf32>) -> tensor<2x2x4x3xbf16>
    %170 = stablehlo.dot_general %169, %153, batching_dims = [0, 1, 2] x [0, 1, 2], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x3xbf16>, tensor<2x2x4x3x4xbf16>) -> tensor<2x2x4x4xbf16>
    %171 = stablehlo.compare GT, %37, %0, SIGNED : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi1>
    %172 = stablehlo.broadcast_in_dim %171, dims = [0] : (tensor<2xi1>) -> tensor<2x2xi1>
    %173 = stablehlo.logistic %arg8 : tensor<2xf32>
    %174 = stablehlo.broadcast_in_dim %173, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %175 = stablehlo.constant dense<0.0> : tensor<2x2xf32>
    %176 = stablehlo.select %172, %174, %175 : tensor<2x2xi1>, tensor<2x2xf32>
    %177 = stablehlo.broadcast_in_dim %176, dims = [0, 1] : (tensor<2x2xf32>) -> tensor<2x2x4x4xf32>
    %178 = stablehlo.convert %137 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %179 = stablehlo.convert %170 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %180 = stablehlo.subtract %179, %178 : tensor<2x2x4x4xf32>
    %181 = stablehlo.multiply %177, %180 : tensor<2x2x4x4xf32>
    %182 = stablehlo.add %178, %181 : tensor<2x2x4x4xf32>
    %183 = stablehlo.convert %182 : (tensor<2x2x4x4xf32>) -> tensor<2x2x4x4xbf16>
    %184 = stablehlo.constant dense<4> : tensor<i32>
    %185 = stablehlo.add %arg18, %184 : tensor<i32>
    %186 = stablehlo.constant dense<10> : tensor<i32>
    %187 = stablehlo.subtract %185, %186 : tensor<i32>
    %188 = stablehlo.constant dense<0> : tensor<i32>
    %189 = stablehlo.maximum %187, %188 : tensor<i32>
    %190 = stablehlo.constant dense<6> : tensor<i32>
    %191 = stablehlo.minimum %arg18, %190 : tensor<i32>
    %192 = stablehlo.subtract %184, %189 : tensor<i32>
    %193 = stablehlo.iota dim = 2 : tensor<1x1x4x1xi32>
    %194 = stablehlo.broadcast_in_dim %189, dims = [] : (tensor<i32>) -> tensor<1x1x4x1xi32>
    %195 = stablehlo.compare GE, %193, %194, SIGNED : (tensor<1x1x4x1xi32>, tensor<1x1x4x1xi32>) -> tensor<1x1x4x1xi1>
    %196 = stablehlo.convert %102 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %197 = stablehlo.concatenate %196, %196, dim = 2 : (tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) -> tensor<2x2x8x4xf32>
    %198 = stablehlo.dynamic_slice %197, %188, %188, %192, %188, sizes = [2, 2, 4, 4] : (tensor<2x2x8x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x4x4xf32>
    %199 = stablehlo.broadcast_in_dim %195, dims = [0, 1, 2, 3] : (tensor<1x1x4x1xi1>) -> tensor<2x2x4x4xi1>
    %200 = stablehlo.dynamic_slice %arg20, %188, %188, %191, %188, sizes = [2, 2, 4, 4] : (tensor<2x2x10x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x4x4xf32>
    %201 = stablehlo.select %199, %198, %200 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>
    %202 = stablehlo.dynamic_update_slice %arg20, %201, %188, %188, %191, %188 : (tensor<2x2x10x4xf32>, tensor<2x2x4x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x10x4xf32>
    %203 = stablehlo.slice %202 [0:2, 0:2, 0:4, 0:4] : (tensor<2x2x10x4xf32>) -> tensor<2x2x4x4xf32>
    %204 = stablehlo.select %199, %203, %198 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>
    %205 = stablehlo.dynamic_update_slice %202, %204, %188, %188, %188, %188 : (tensor<2x2x10x4xf32>, tensor<2x2x4x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x10x4xf32>
    %206 = stablehlo.convert %81 : (tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %207 = stablehlo.concatenate %206, %206, dim = 2 : (tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) -> tensor<2x2x8x4xf32>
    %208 = stablehlo.dynamic_slice %207, %188, %188, %192, %188, sizes = [2, 2, 4, 4] : (tensor<2x2x8x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x4x4xf32>
    %209 = stablehlo.broadcast_in_dim %195, dims = [0, 1, 2, 3] : (tensor<1x1x4x1xi1>) -> tensor<2x2x4x4xi1>
    %210 = stablehlo.dynamic_slice %arg21, %188, %188, %191, %188, sizes = [2, 2, 4, 4] : (tensor<2x2x10x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x4x4xf32>
    %211 = stablehlo.select %209, %208, %210 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>
    %212 = stablehlo.dynamic_update_slice %arg21, %211, %188, %188, %191, %188 : (tensor<2x2x10x4xf32>, tensor<2x2x4x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x10x4xf32>
    %213 = stablehlo.slice %212 [0:2, 0:2, 0:4, 0:4] : (tensor<2x2x10x4xf32>) -> tensor<2x2x4x4xf32>
    %214 = stablehlo.select %209, %213, %208 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>
    %215 = stablehlo.dynamic_update_slice %212, %214, %188, %188, %188, %188 : (tensor<2x2x10x4xf32>, tensor<2x2x4x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<2x2x10x4xf32>
    %216 = stablehlo.convert %arg5 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %217 = stablehlo.reshape %216 : (tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %218 = stablehlo.dot_general %183, %217, contracting_dims = [1, 3] x [0, 1], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x4x8xbf16>) -> tensor<2x4x8xbf16>
    %219 = stablehlo.add %54, %218 : tensor<2x4x8xbf16>
    %220 = stablehlo.convert %219 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %221 = stablehlo.multiply %220, %220 : tensor<2x4x8xf32>
    %222 = stablehlo.reduce(%221 init: %57) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %223 = stablehlo.broadcast_in_dim %222, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %224 = stablehlo.divide %223, %60 : tensor<2x4x1xf32>
    %225 = stablehlo.add %224, %62 : tensor<2x4x1xf32>
    %226 = stablehlo.rsqrt %225 : tensor<2x4x1xf32>
    %227 = stablehlo.broadcast_in_dim %226, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %228 = stablehlo.multiply %220, %227 : tensor<2x4x8xf32>
    %229 = stablehlo.broadcast_in_dim %arg9, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %230 = stablehlo.multiply %228, %229 : tensor<2x4x8xf32>
    %231 = stablehlo.convert %230 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %232 = stablehlo.convert %arg10 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %233 = stablehlo.dot_general %231, %232, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x16xbf16>) -> tensor<2x4x16xbf16>
    %234 = stablehlo.convert %arg11 : (tensor<16xf32>) -> tensor<16xbf16>
    %235 = stablehlo.broadcast_in_dim %234, dims = [2] : (tensor<16xbf16>) -> tensor<2x4x16xbf16>
    %236 = stablehlo.add %233, %235 : tensor<2x4x16xbf16>
    %237 = stablehlo.convert %236 : (tensor<2x4x16xbf16>) -> tensor<2x4x16xf32>
    %238 = stablehlo.multiply %237, %237 : tensor<2x4x16xf32>
    %239 = stablehlo.multiply %238, %237 : tensor<2x4x16xf32>
    %240 = stablehlo.constant dense<0.044714998453855515> : tensor<2x4x16xf32>
    %241 = stablehlo.multiply %239, %240 : tensor<2x4x16xf32>
    %242 = stablehlo.add %241, %237 : tensor<2x4x16xf32>
    %243 = stablehlo.constant dense<0.7978845834732056> : tensor<2x4x16xf32>
    %244 = stablehlo.multiply %242, %243 : tensor<2x4x16xf32>
    %245 = stablehlo.tanh %244 : tensor<2x4x16xf32>
    %246 = stablehlo.constant dense<0.5> : tensor<2x4x16xf32>
    %247 = stablehlo.multiply %245, %246 : tensor<2x4x16xf32>
    %248 = stablehlo.add %247, %246 : tensor<2x4x16xf32>
    %249 = stablehlo.multiply %237, %248 : tensor<2x4x16xf32>
    %250 = stablehlo.convert %249 : (tensor<2x4x16xf32>) -> tensor<2x4x16xbf16>
    %251 = stablehlo.convert %arg12 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %252 = stablehlo.dot_general %250, %251, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x16xbf16>, tensor<16x8xbf16>) -> tensor<2x4x8xbf16>
    %253 = stablehlo.convert %arg13 : (tensor<8xf32>) -> tensor<8xbf16>
    %254 = stablehlo.broadcast_in_dim %253, dims = [2] : (tensor<8xbf16>) -> tensor<2x4x8xbf16>
    %255 = stablehlo.add %252, %254 : tensor<2x4x8xbf16>
    %256 = stablehlo.add %219, %255 : tensor<2x4x8xbf16>
    %257 = stablehlo.convert %256 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %258 = stablehlo.multiply %257, %257 : tensor<2x4x8xf32>
    %259 = stablehlo.reduce(%258 init: %57) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %260 = stablehlo.broadcast_in_dim %259, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %261 = stablehlo.divide %260, %60 : tensor<2x4x1xf32>
    %262 = stablehlo.add %261, %62 : tensor<2x4x1xf32>
    %263 = stablehlo.rsqrt %262 : tensor<2x4x1xf32>
    %264 = stablehlo.broadcast_in_dim %263, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %265 = stablehlo.multiply %257, %264 : tensor<2x4x8xf32>
    %266 = stablehlo.broadcast_in_dim %arg14, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %267 = stablehlo.multiply %265, %266 : tensor<2x4x8xf32>
    %268 = stablehlo.convert %267 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %269 = stablehlo.constant dense<0.353515625> : tensor<2x4x8xbf16>
    %270 = stablehlo.multiply %268, %269 : tensor<2x4x8xbf16>
    %271 = stablehlo.convert %arg0 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %272 = stablehlo.dot_general %270, %271, contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<16x8xbf16>) -> tensor<2x4x16xf32>
    %273 = stablehlo.add %1, %9 : tensor<2xi32>
    %274 = stablehlo.minimum %273, %9 : tensor<2xi32>
    %275 = stablehlo.add %arg18, %184 : tensor<i32>
    %276 = stablehlo.compare GE, %275, %186, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %277 = stablehlo.subtract %275, %186 : tensor<i32>
    %278 = stablehlo.select %276, %277, %275 : tensor<i1>, tensor<i32>
    %279 = stablehlo.add %37, %9 : tensor<2xi32>
    %280 = stablehlo.constant dense<10> : tensor<2xi32>
    %281 = stablehlo.minimum %279, %280 : tensor<2xi32>
    return %272, %274, %105, %106, %278, %281, %205, %215 : tensor<2x4x16xf32>, tensor<2xi32>, tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>, tensor<i32>, tensor<2xi32>, tensor<2x2x10x4xf32>, tensor<2x2x10x4xf32>
  }
}
