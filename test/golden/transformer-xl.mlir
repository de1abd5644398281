module @"transformer-xl" {
  func.func public @main(%arg0: tensor<16x8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8x8xf32>, %arg3: tensor<8x8xf32>, %arg4: tensor<8x8xf32>, %arg5: tensor<8x8xf32>, %arg6: tensor<32x2xf32>, %arg7: tensor<8xf32>, %arg8: tensor<8x16xf32>, %arg9: tensor<16xf32>, %arg10: tensor<16x8xf32>, %arg11: tensor<8xf32>, %arg12: tensor<8xf32>, %arg13: tensor<2xi32> {tf.aliasing_output = 1 : i32}, %arg14: tensor<2x2x6x4xbf16> {tf.aliasing_output = 2 : i32}, %arg15: tensor<2x2x6x4xbf16> {tf.aliasing_output = 3 : i32}, %arg16: tensor<2x4xi32>, %arg17: tensor<2xi1>) -> (tensor<2x4x16xf32>, tensor<2xi32>, tensor<2x2x6x4xbf16>, tensor<2x2x6x4xbf16>) {
    %0 = stablehlo.constant dense<0> : tensor<2xi32>
    %1 = stablehlo.select %arg17, %0, %arg13 : tensor<2xi1>, tensor<2xi32>
    %2 = stablehlo.iota dim = 2 : tensor<1x1x10xi32>
    %3 = stablehlo.iota dim = 1 : tensor<1x4x1xi32>
    %4 = stablehlo.constant dense<6> : tensor<1x4x1xi32>
    %5 = stablehlo.add %3, %4 : tensor<1x4x1xi32>
    %6 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<1x1x10xi32>) -> tensor<1x4x10xi32>
    %7 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2] : (tensor<1x4x1xi32>) -> tensor<1x4x10xi32>
    %8 = stablehlo.compare LE, %6, %7, SIGNED : (tensor<1x4x10xi32>, tensor<1x4x10xi32>) -> tensor<1x4x10xi1>
    %9 = stablehlo.constant dense<6> : tensor<2xi32>
    %10 = stablehlo.subtract %9, %1 : tensor<2xi32>
    %11 = stablehlo.reshape %10 : (tensor<2xi32>) -> tensor<2x1x1xi32>
    %12 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2] : (tensor<1x1x10xi32>) -> tensor<2x1x10xi32>
    %13 = stablehlo.broadcast_in_dim %11, dims = [0, 1, 2] : (tensor<2x1x1xi32>) -> tensor<2x1x10xi32>
    %14 = stablehlo.compare GE, %12, %13, SIGNED : (tensor<2x1x10xi32>, tensor<2x1x10xi32>) -> tensor<2x1x10xi1>
    %15 = stablehlo.broadcast_in_dim %8, dims = [0, 1, 2] : (tensor<1x4x10xi1>) -> tensor<2x4x10xi1>
    %16 = stablehlo.broadcast_in_dim %14, dims = [0, 1, 2] : (tensor<2x1x10xi1>) -> tensor<2x4x10xi1>
    %17 = stablehlo.and %15, %16 : tensor<2x4x10xi1>
    %18 = stablehlo.iota dim = 0 : tensor<14x1xi32>
    %19 = stablehlo.constant dense<10> : tensor<14x1xi32>
    %20 = stablehlo.compare LT, %18, %19, SIGNED : (tensor<14x1xi32>, tensor<14x1xi32>) -> tensor<14x1xi1>
    %21 = stablehlo.constant dense<14> : tensor<14x1xi32>
    %22 = stablehlo.subtract %18, %21 : tensor<14x1xi32>
    %23 = stablehlo.select %20, %18, %22 : tensor<14x1xi1>, tensor<14x1xi32>
    %24 = stablehlo.constant dense<6> : tensor<14x1xi32>
    %25 = stablehlo.subtract %24, %23 : tensor<14x1xi32>
    %26 = stablehlo.constant dense<0> : tensor<14x1xi32>
    %27 = stablehlo.maximum %25, %26 : tensor<14x1xi32>
    %28 = stablehlo.broadcast_in_dim %27, dims = [0, 1] : (tensor<14x1xi32>) -> tensor<14x32xi32>
    %29 = stablehlo.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]> : tensor<32xi32>
    %30 = stablehlo.broadcast_in_dim %29, dims = [1] : (tensor<32xi32>) -> tensor<14x32xi32>
    %31 = stablehlo.constant dense<[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113, 2147483647]> : tensor<32xi32>
    %32 = stablehlo.broadcast_in_dim %31, dims = [1] : (tensor<32xi32>) -> tensor<14x32xi32>
    %33 = stablehlo.compare GE, %28, %30, SIGNED : (tensor<14x32xi32>, tensor<14x32xi32>) -> tensor<14x32xi1>
    %34 = stablehlo.compare LT, %28, %32, SIGNED : (tensor<14x32xi32>, tensor<14x32xi32>) -> tensor<14x32xi1>
    %35 = stablehlo.and %33, %34 : tensor<14x32xi1>
    %36 = stablehlo.convert %35 : (tensor<14x32xi1>) -> tensor<14x32xf32>
    %37 = "stablehlo.gather"(%arg0, %arg16) <{dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<16x8xf32>, tensor<2x4xi32>) -> tensor<2x4x8xf32>
    %38 = stablehlo.convert %37 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %39 = stablehlo.convert %38 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %40 = stablehlo.multiply %39, %39 : tensor<2x4x8xf32>
    %41 = stablehlo.constant dense<0.0> : tensor<f32>
    %42 = stablehlo.reduce(%40 init: %41) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %43 = stablehlo.broadcast_in_dim %42, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %44 = stablehlo.constant dense<8.0> : tensor<2x4x1xf32>
    %45 = stablehlo.divide %43, %44 : tensor<2x4x1xf32>
    %46 = stablehlo.constant dense<9.999999974752427e-7> : tensor<2x4x1xf32>
    %47 = stablehlo.add %45, %46 : tensor<2x4x1xf32>
    %48 = stablehlo.rsqrt %47 : tensor<2x4x1xf32>
    %49 = stablehlo.broadcast_in_dim %48, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %50 = stablehlo.multiply %39, %49 : tensor<2x4x8xf32>
    %51 = stablehlo.broadcast_in_dim %arg1, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %52 = stablehlo.multiply %50, %51 : tensor<2x4x8xf32>
    %53 = stablehlo.convert %52 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %54 = stablehlo.convert %arg2 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %55 = stablehlo.dot_general %53, %54, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %56 = stablehlo.reshape %55 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %57 = stablehlo.transpose %56, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %58 = stablehlo.convert %arg3 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %59 = stablehlo.dot_general %53, %58, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %60 = stablehlo.reshape %59 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %61 = stablehlo.transpose %60, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %62 = stablehlo.convert %arg4 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %63 = stablehlo.dot_general %53, %62, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %64 = stablehlo.reshape %63 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %65 = stablehlo.transpose %64, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %66 = stablehlo.constant dense<0.5> : tensor<2x2x4x4xbf16>
    %67 = stablehlo.multiply %57, %66 : tensor<2x2x4x4xbf16>
    %68 = stablehlo.concatenate %arg14, %61, dim = 2 : (tensor<2x2x6x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x10x4xbf16>
    %69 = stablehlo.concatenate %arg15, %65, dim = 2 : (tensor<2x2x6x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x10x4xbf16>
    %70 = stablehlo.slice %68 [0:2, 0:2, 4:10, 0:4] : (tensor<2x2x10x4xbf16>) -> tensor<2x2x6x4xbf16>
    %71 = stablehlo.slice %69 [0:2, 0:2, 4:10, 0:4] : (tensor<2x2x10x4xbf16>) -> tensor<2x2x6x4xbf16>
    %72 = stablehlo.dot_general %arg6, %36, contracting_dims = [0] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x2xf32>, tensor<14x32xf32>) -> tensor<2x14xf32>
    %73 = stablehlo.broadcast_in_dim %72, dims = [0, 2] : (tensor<2x14xf32>) -> tensor<2x4x14xf32>
    %74 = stablehlo.reshape %73 : (tensor<2x4x14xf32>) -> tensor<2x56xf32>
    %75 = stablehlo.slice %74 [0:2, 0:52] : (tensor<2x56xf32>) -> tensor<2x52xf32>
    %76 = stablehlo.reshape %75 : (tensor<2x52xf32>) -> tensor<2x4x13xf32>
    %77 = stablehlo.slice %76 [0:2, 0:4, 0:10] : (tensor<2x4x13xf32>) -> tensor<2x4x10xf32>
    %78 = stablehlo.dot_general %67, %68, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x2x10x4xbf16>) -> tensor<2x2x4x10xf32>
    %79 = stablehlo.broadcast_in_dim %77, dims = [1, 2, 3] : (tensor<2x4x10xf32>) -> tensor<2x2x4x10xf32>
    %80 = stablehlo.add %78, %79 : tensor<2x2x4x10xf32>
    %81 = stablehlo.broadcast_in_dim %17, dims = [0, 2, 3] : (tensor<2x4x10xi1>) -> tensor<2x2x4x10xi1>
    %82 = stablehlo.constant dense<0xFF800000> : tensor<2x2x4x10xf32>
    %83 = stablehlo.select %81, %80, %82 : tensor<2x2x4x10xi1>, tensor<2x2x4x10xf32>
    %84 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %85 = stablehlo.reduce(%83 init: %84) applies stablehlo.maximum across dimensions = [3] : (tensor<2x2x4x10xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %86 = stablehlo.broadcast_in_dim %85, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %87 = stablehlo.constant dense<-3.4028234663852886e+38> : tensor<2x2x4x1xf32>
    %88 = stablehlo.maximum %86, %87 : tensor<2x2x4x1xf32>
    %89 = stablehlo.broadcast_in_dim %88, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x10xf32>
    %90 = stablehlo.subtract %83, %89 : tensor<2x2x4x10xf32>
    %91 = stablehlo.exponential %90 : tensor<2x2x4x10xf32>
    %92 = stablehlo.reduce(%91 init: %41) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x10xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %93 = stablehlo.broadcast_in_dim %92, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %94 = stablehlo.constant dense<0.0> : tensor<2x2x4x1xf32>
    %95 = stablehlo.compare EQ, %93, %94, FLOAT : (tensor<2x2x4x1xf32>, tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xi1>
    %96 = stablehlo.constant dense<1.0> : tensor<2x2x4x1xf32>
    %97 = stablehlo.select %95, %96, %93 : tensor<2x2x4x1xi1>, tensor<2x2x4x1xf32>
    %98 = stablehlo.divide %96, %97 : tensor<2x2x4x1xf32>
    %99 = stablehlo.broadcast_in_dim %98, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x10xf32>
    %100 = stablehlo.multiply %91, %99 : tensor<2x2x4x10xf32>
    %101 = stablehlo.convert %100 : (tensor<2x2x4x10xf32>) -> tensor<2x2x4x10xbf16>
    %102 = stablehlo.dot_general %101, %69, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x10xbf16>, tensor<2x2x10x4xbf16>) -> tensor<2x2x4x4xbf16>
    %103 = stablehlo.convert %arg5 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %104 = stablehlo.reshape %103 : (tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %105 = stablehlo.dot_general %102, %104, contracting_dims = [1, 3] x [0, 1], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x4x8xbf16>) -> tensor<2x4x8xbf16>
    %106 = stablehlo.add %38, %105 : tensor<2x4x8xbf16>
    %107 = stablehlo.convert %106 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %108 = stablehlo.multiply %107, %107 : tensor<2x4x8xf32>
    %109 = stablehlo.reduce(%108 init: %41) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %110 = stablehlo.broadcast_in_dim %109, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %111 = stablehlo.divide %110, %44 : tensor<2x4x1xf32>
    %112 = stablehlo.add %111, %46 : tensor<2x4x1xf32>
    %113 = stablehlo.rsqrt %112 : tensor<2x4x1xf32>
    %114 = stablehlo.broadcast_in_dim %113, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %115 = stablehlo.multiply %107, %114 : tensor<2x4x8xf32>
    %116 = stablehlo.broadcast_in_dim %arg7, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %117 = stablehlo.multiply %115, %116 : tensor<2x4x8xf32>
    %118 = stablehlo.convert %117 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %119 = stablehlo.convert %arg8 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %120 = stablehlo.dot_general %118, %119, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x16xbf16>) -> tensor<2x4x16xbf16>
    %121 = stablehlo.convert %arg9 : (tensor<16xf32>) -> tensor<16xbf16>
    %122 = stablehlo.broadcast_in_dim %121, dims = [2] : (tensor<16xbf16>) -> tensor<2x4x16xbf16>
    %123 = stablehlo.add %120, %122 : tensor<2x4x16xbf16>
    %124 = stablehlo.convert %123 : (tensor<2x4x16xbf16>) -> tensor<2x4x16xf32>
    %125 = stablehlo.multiply %124, %124 : tensor<2x4x16xf32>
    %126 = stablehlo.multiply %125, %124 : tensor<2x4x16xf32>
    %127 = stablehlo.constant dense<0.044714998453855515> : tensor<2x4x16xf32>
    %128 = stablehlo.multiply %126, %127 : tensor<2x4x16xf32>
    %129 = stablehlo.add %128, %124 : tensor<2x4x16xf32>
    %130 = stablehlo.constant dense<0.7978845834732056> : tensor<2x4x16xf32>
    %131 = stablehlo.multiply %129, %130 : tensor<2x4x16xf32>
    %132 = stablehlo.tanh %131 : tensor<2x4x16xf32>
    %133 = stablehlo.constant dense<0.5> : tensor<2x4x16xf32>
    %134 = stablehlo.multiply %132, %133 : tensor<2x4x16xf32>
    %135 = stablehlo.add %134, %133 : tensor<2x4x16xf32>
    %136 = stablehlo.multiply %124, %135 : tensor<2x4x16xf32>
    %137 = stablehlo.convert %136 : (tensor<2x4x16xf32>) -> tensor<2x4x16xbf16>
    %138 = stablehlo.convert %arg10 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %139 = stablehlo.dot_general %137, %138, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x16xbf16>, tensor<16x8xbf16>) -> tensor<2x4x8xbf16>
    %140 = stablehlo.convert %arg11 : (tensor<8xf32>) -> tensor<8xbf16>
    %141 = stablehlo.broadcast_in_dim %140, dims = [2] : (tensor<8xbf16>) -> tensor<2x4x8xbf16>
    %142 = stablehlo.add %139, %141 : tensor<2x4x8xbf16>
    %143 = stablehlo.add %106, %142 : tensor<2x4x8xbf16>
    %144 = stablehlo.convert %143 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %145 = stablehlo.multiply %144, %144 : tensor<2x4x8xf32>
    %146 = stablehlo.reduce(%145 init: %41) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %147 = stablehlo.broadcast_in_dim %146, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %148 = stablehlo.divide %147, %44 : tensor<2x4x1xf32>
    %149 = stablehlo.add %148, %46 : tensor<2x4x1xf32>
    %150 = stablehlo.rsqrt %149 : tensor<2x4x1xf32>
    %151 = stablehlo.broadcast_in_dim %150, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %152 = stablehlo.multiply %144, %151 : tensor<2x4x8xf32>
    %153 = stablehlo.broadcast_in_dim %arg12, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %154 = stablehlo.multiply %152, %153 : tensor<2x4x8xf32>
    %155 = stablehlo.convert %154 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %156 = stablehlo.constant dense<0.353515625> : tensor<2x4x8xbf16>
    %157 = stablehlo.multiply %155, %156 : tensor<2x4x8xbf16>
    %158 = stablehlo.convert %arg0 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %159 = stablehlo.dot_general %157, %158, contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<16x8xbf16>) -> tensor<2x4x16xf32>
    %160 = stablehlo.constant dense<4> : tensor<2xi32>
    %161 = stablehlo.add %1, %160 : tensor<2xi32>
    %162 = stablehlo.minimum %161, %9 : tensor<2xi32>
    return %159, %162, %70, %71 : tensor<2x4x16xf32>, tensor<2xi32>, tensor<2x2x6x4xbf16>, tensor<2x2x6x4xbf16>
  }
}
