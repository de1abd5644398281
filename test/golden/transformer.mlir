module @transformer {
  func.func public @main(%arg0: tensor<16x8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8xf32>, %arg3: tensor<8x8xf32>, %arg4: tensor<8x8xf32>, %arg5: tensor<8x8xf32>, %arg6: tensor<8x8xf32>, %arg7: tensor<32x2xf32>, %arg8: tensor<8xf32>, %arg9: tensor<8xf32>, %arg10: tensor<8x16xf32>, %arg11: tensor<16xf32>, %arg12: tensor<16x8xf32>, %arg13: tensor<8xf32>, %arg14: tensor<8x16xf32>, %arg15: tensor<2x4xi32>, %arg16: tensor<2xi1>) -> tensor<2x4x16xf32> {
    %0 = stablehlo.iota dim = 2 : tensor<1x1x4xi32>
    %1 = stablehlo.iota dim = 1 : tensor<1x4x1xi32>
    %2 = stablehlo.constant dense<0> : tensor<1x4x1xi32>
    %3 = stablehlo.add %1, %2 : tensor<1x4x1xi32>
    %4 = stablehlo.broadcast_in_dim %0, dims = [0, 1, 2] : (tensor<1x1x4xi32>) -> tensor<1x4x4xi32>
    %5 = stablehlo.broadcast_in_dim %3, dims = [0, 1, 2] : (tensor<1x4x1xi32>) -> tensor<1x4x4xi32>
    %6 = stablehlo.compare LE, %4, %5, SIGNED : (tensor<1x4x4xi32>, tensor<1x4x4xi32>) -> tensor<1x4x4xi1>
    %7 = stablehlo.iota dim = 0 : tensor<8x1xi32>
    %8 = stablehlo.constant dense<4> : tensor<8x1xi32>
    %9 = stablehlo.compare LT, %7, %8, SIGNED : (tensor<8x1xi32>, tensor<8x1xi32>) -> tensor<8x1xi1>
    %10 = stablehlo.constant dense<8> : tensor<8x1xi32>
    %11 = stablehlo.subtract %7, %10 : tensor<8x1xi32>
    %12 = stablehlo.select %9, %7, %11 : tensor<8x1xi1>, tensor<8x1xi32>
    %13 = stablehlo.constant dense<0> : tensor<8x1xi32>
    %14 = stablehlo.subtract %13, %12 : tensor<8x1xi32>
    %15 = stablehlo.maximum %14, %13 : tensor<8x1xi32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0, 1] : (tensor<8x1xi32>) -> tensor<8x32xi32>
    %17 = stablehlo.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]> : tensor<32xi32>
    %18 = stablehlo.broadcast_in_dim %17, dims = [1] : (tensor<32xi32>) -> tensor<8x32xi32>
    %19 = stablehlo.constant dense<[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113, 2147483647]> : tensor<32xi32>
    %20 = stablehlo.broadcast_in_dim %19, dims = [1] : (tensor<32xi32>) -> tensor<8x32xi32>
    %21 = stablehlo.compare GE, %16, %18, SIGNED : (tensor<8x32xi32>, tensor<8x32xi32>) -> tensor<8x32xi1>
    %22 = stablehlo.compare LT, %16, %20, SIGNED : (tensor<8x32xi32>, tensor<8x32xi32>) -> tensor<8x32xi1>
    %23 = stablehlo.and %21, %22 : tensor<8x32xi1>
    %24 = stablehlo.convert %23 : (tensor<8x32xi1>) -> tensor<8x32xf32>
    %25 = "stablehlo.gather"(%arg0, %arg15) <{dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<16x8xf32>, tensor<2x4xi32>) -> tensor<2x4x8xf32>
    %26 = stablehlo.convert %25 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %27 = stablehlo.convert %arg3 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %28 = stablehlo.dot_general %26, %27, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %29 = stablehlo.reshape %28 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %30 = stablehlo.transpose %29, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %31 = stablehlo.convert %arg4 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %32 = stablehlo.dot_general %26, %31, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %33 = stablehlo.reshape %32 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %34 = stablehlo.transpose %33, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %35 = stablehlo.convert %arg5 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %36 = stablehlo.dot_general %26, %35, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %37 = stablehlo.reshape %36 : (tensor<2x4x8xbf16>) -> tensor<2x4x2x4xbf16>
    %38 = stablehlo.transpose %37, dims = [0, 2, 1, 3] : (tensor<2x4x2x4xbf16>) -> tensor<2x2x4x4xbf16>
    %39 = stablehlo.constant dense<0.5> : tensor<2x2x4x4xbf16>
    %40 = stablehlo.multiply %30, %39 : tensor<2x2x4x4xbf16>
    %41 = stablehlo.dot_general %arg7, %24, contracting_dims = [0] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x2xf32>, tensor<8x32xf32>) -> tensor<2x8xf32>
    %42 = stablehlo.broadcast_in_dim %41, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x4x8xf32>
    %43 = stablehlo.reshape %42 : (tensor<2x4x8xf32>) -> tensor<2x32xf32>
    %44 = stablehlo.slice %43 [0:2, 0:28] : (tensor<2x32xf32>) -> tensor<2x28xf32>
    %45 = stablehlo.reshape %44 : (tensor<2x28xf32>) -> tensor<2x4x7xf32>
    %46 = stablehlo.slice %45 [0:2, 0:4, 0:4] : (tensor<2x4x7xf32>) -> tensor<2x4x4xf32>
    %47 = stablehlo.dot_general %40, %34, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xf32>
    %48 = stablehlo.broadcast_in_dim %46, dims = [1, 2, 3] : (tensor<2x4x4xf32>) -> tensor<2x2x4x4xf32>
    %49 = stablehlo.add %47, %48 : tensor<2x2x4x4xf32>
    %50 = stablehlo.broadcast_in_dim %6, dims = [0, 2, 3] : (tensor<1x4x4xi1>) -> tensor<2x2x4x4xi1>
    %51 = stablehlo.constant dense<0xFF800000> : tensor<2x2x4x4xf32>
    %52 = stablehlo.select %50, %49, %51 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>
    %53 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %54 = stablehlo.reduce(%52 init: %53) applies stablehlo.maximum across dimensions = [3] : (tensor<2x2x4x4xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %55 = stablehlo.broadcast_in_dim %54, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %56 = stablehlo.constant dense<-3.4028234663852886e+38> : tensor<2x2x4x1xf32>
    %57 = stablehlo.maximum %55, %56 : tensor<2x2x4x1xf32>
    %58 = stablehlo.broadcast_in_dim %57, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x4xf32>
    %59 = stablehlo.subtract %52, %58 : tensor<2x2x4x4xf32>
    %60 = stablehlo.exponential %59 : tensor<2x2x4x4xf32>
    %61 = stablehlo.constant dense<0.0> : tensor<f32>
    %62 = stablehlo.reduce(%60 init: %61) applies stablehlo.add across dimensions = [3] : (tensor<2x2x4x4xf32>, tensor<f32>) -> tensor<2x2x4xf32>
    %63 = stablehlo.broadcast_in_dim %62, dims = [0, 1, 2] : (tensor<2x2x4xf32>) -> tensor<2x2x4x1xf32>
    %64 = stablehlo.constant dense<0.0> : tensor<2x2x4x1xf32>
    %65 = stablehlo.compare EQ, %63, %64, FLOAT : (tensor<2x2x4x1xf32>, tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xi1>
    %66 = stablehlo.constant dense<1.0> : tensor<2x2x4x1xf32>
    %67 = stablehlo.select %65, %66, %63 : tensor<2x2x4x1xi1>, tensor<2x2x4x1xf32>
    %68 = stablehlo.divide %66, %67 : tensor<2x2x4x1xf32>
    %69 = stablehlo.broadcast_in_dim %68, dims = [0, 1, 2, 3] : (tensor<2x2x4x1xf32>) -> tensor<2x2x4x4xf32>
    %70 = stablehlo.multiply %60, %69 : tensor<2x2x4x4xf32>
    %71 = stablehlo.convert %70 : (tensor<2x2x4x4xf32>) -> tensor<2x2x4x4xbf16>
    %72 = stablehlo.dot_general %71, %38, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x2x4x4xbf16>) -> tensor<2x2x4x4xbf16>
    %73 = stablehlo.convert %arg6 : (tensor<8x8xf32>) -> tensor<8x8xbf16>
    %74 = stablehlo.reshape %73 : (tensor<8x8xbf16>) -> tensor<2x4x8xbf16>
    %75 = stablehlo.dot_general %72, %74, contracting_dims = [1, 3] x [0, 1], precision = [DEFAULT, DEFAULT] : (tensor<2x2x4x4xbf16>, tensor<2x4x8xbf16>) -> tensor<2x4x8xbf16>
    %76 = stablehlo.add %26, %75 : tensor<2x4x8xbf16>
    %77 = stablehlo.convert %76 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %78 = stablehlo.reduce(%77 init: %61) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %79 = stablehlo.broadcast_in_dim %78, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %80 = stablehlo.constant dense<8.0> : tensor<2x4x1xf32>
    %81 = stablehlo.divide %79, %80 : tensor<2x4x1xf32>
    %82 = stablehlo.broadcast_in_dim %81, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %83 = stablehlo.subtract %77, %82 : tensor<2x4x8xf32>
    %84 = stablehlo.multiply %83, %83 : tensor<2x4x8xf32>
    %85 = stablehlo.reduce(%84 init: %61) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %86 = stablehlo.broadcast_in_dim %85, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %87 = stablehlo.divide %86, %80 : tensor<2x4x1xf32>
    %88 = stablehlo.constant dense<9.999999974752427e-7> : tensor<2x4x1xf32>
    %89 = stablehlo.add %87, %88 : tensor<2x4x1xf32>
    %90 = stablehlo.rsqrt %89 : tensor<2x4x1xf32>
    %91 = stablehlo.broadcast_in_dim %90, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %92 = stablehlo.multiply %83, %91 : tensor<2x4x8xf32>
    %93 = stablehlo.broadcast_in_dim %arg1, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %94 = stablehlo.multiply %92, %93 : tensor<2x4x8xf32>
    %95 = stablehlo.broadcast_in_dim %arg2, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %96 = stablehlo.add %94, %95 : tensor<2x4x8xf32>
    %97 = stablehlo.convert %96 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %98 = stablehlo.convert %arg10 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %99 = stablehlo.dot_general %97, %98, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x16xbf16>) -> tensor<2x4x16xbf16>
    %100 = stablehlo.convert %arg11 : (tensor<16xf32>) -> tensor<16xbf16>
    %101 = stablehlo.broadcast_in_dim %100, dims = [2] : (tensor<16xbf16>) -> tensor<2x4x16xbf16>
    %102 = stablehlo.add %99, %101 : tensor<2x4x16xbf16>
    %103 = stablehlo.constant dense<0.0> : tensor<2x4x16xbf16>
    %104 = stablehlo.compare GT, %102, %103, FLOAT : (tensor<2x4x16xbf16>, tensor<2x4x16xbf16>) -> tensor<2x4x16xi1>
    %105 = stablehlo.select %104, %102, %103 : tensor<2x4x16xi1>, tensor<2x4x16xbf16>
    %106 = stablehlo.convert %arg12 : (tensor<16x8xf32>) -> tensor<16x8xbf16>
    %107 = stablehlo.dot_general %105, %106, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x16xbf16>, tensor<16x8xbf16>) -> tensor<2x4x8xbf16>
    %108 = stablehlo.convert %arg13 : (tensor<8xf32>) -> tensor<8xbf16>
    %109 = stablehlo.broadcast_in_dim %108, dims = [2] : (tensor<8xbf16>) -> tensor<2x4x8xbf16>
    %110 = stablehlo.add %107, %109 : tensor<2x4x8xbf16>
    %111 = stablehlo.add %97, %110 : tensor<2x4x8xbf16>
    %112 = stablehlo.convert %111 : (tensor<2x4x8xbf16>) -> tensor<2x4x8xf32>
    %113 = stablehlo.reduce(%112 init: %61) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %114 = stablehlo.broadcast_in_dim %113, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %115 = stablehlo.divide %114, %80 : tensor<2x4x1xf32>
    %116 = stablehlo.broadcast_in_dim %115, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %117 = stablehlo.subtract %112, %116 : tensor<2x4x8xf32>
    %118 = stablehlo.multiply %117, %117 : tensor<2x4x8xf32>
    %119 = stablehlo.reduce(%118 init: %61) applies stablehlo.add across dimensions = [2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4xf32>
    %120 = stablehlo.broadcast_in_dim %119, dims = [0, 1] : (tensor<2x4xf32>) -> tensor<2x4x1xf32>
    %121 = stablehlo.divide %120, %80 : tensor<2x4x1xf32>
    %122 = stablehlo.add %121, %88 : tensor<2x4x1xf32>
    %123 = stablehlo.rsqrt %122 : tensor<2x4x1xf32>
    %124 = stablehlo.broadcast_in_dim %123, dims = [0, 1, 2] : (tensor<2x4x1xf32>) -> tensor<2x4x8xf32>
    %125 = stablehlo.multiply %117, %124 : tensor<2x4x8xf32>
    %126 = stablehlo.broadcast_in_dim %arg8, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %127 = stablehlo.multiply %125, %126 : tensor<2x4x8xf32>
    %128 = stablehlo.broadcast_in_dim %arg9, dims = [2] : (tensor<8xf32>) -> tensor<2x4x8xf32>
    %129 = stablehlo.add %127, %128 : tensor<2x4x8xf32>
    %130 = stablehlo.convert %129 : (tensor<2x4x8xf32>) -> tensor<2x4x8xbf16>
    %131 = stablehlo.convert %arg14 : (tensor<8x16xf32>) -> tensor<8x16xbf16>
    %132 = stablehlo.dot_general %130, %131, contracting_dims = [2] x [0], precision = [DEFAULT, DEFAULT] : (tensor<2x4x8xbf16>, tensor<8x16xbf16>) -> tensor<2x4x16xf32>
    return %132 : tensor<2x4x16xf32>
  }
}
