// bitcast_convert: the second has the shape that it says, u8[1,4,2]. XLA makes one of both, to u8[1,8], and refuses what it made.
// input: f64[1] 1.5
// right: u8[1,4,2] 0,0,0,0,0,0,248,63
// XLA: refused
func.func @main(%a: tensor<1xf64>) -> tensor<1x4x2xui8> {
  %0 = stablehlo.bitcast_convert %a : (tensor<1xf64>) -> tensor<1x4xui16>
  %1 = stablehlo.bitcast_convert %0 : (tensor<1x4xui16>) -> tensor<1x4x2xui8>
  return %1 : tensor<1x4x2xui8>
}
