// convert: -2^-13 rounds to zero in f8E4M3FNUZ, which has one zero. XLA gives the code of negative zero, which is NaN there.
// input: f8E4M3B11FNUZ[2] 0.0001220703125,-0.0001220703125
// right: f8E4M3FNUZ[2] 0,0
// XLA: f8E4M3FNUZ[2] 0,NaN
func.func @main(%a: tensor<2xf8E4M3B11FNUZ>) -> tensor<2xf8E4M3FNUZ> {
  %0 = stablehlo.convert %a : (tensor<2xf8E4M3B11FNUZ>) -> tensor<2xf8E4M3FNUZ>
  return %0 : tensor<2xf8E4M3FNUZ>
}
