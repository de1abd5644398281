// convert: a complex number becomes the integer of its real part. XLA ends the process where the number is a constant.
// right: i32[1] 2
// XLA: crashed
func.func @main() -> tensor<1xi32> {
  %0 = stablehlo.constant dense<(2.5, 1.0)> : tensor<1xcomplex<f32>>
  %1 = stablehlo.convert %0 : (tensor<1xcomplex<f32>>) -> tensor<1xi32>
  return %1 : tensor<1xi32>
}
