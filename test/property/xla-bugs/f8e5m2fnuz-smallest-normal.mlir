// The maximum of a positive number and zero is the number: 2^-15 is the smallest normal f8E5M2FNUZ. XLA computes in f16, where it is denormal, and gives 2^-14.
// input: f8E5M2FNUZ[2] 0.000030517578125,1.5
// input: f8E5M2FNUZ[2] 0,0
// right: f8E5M2FNUZ[2] 0.000030517578125,1.5
// XLA: f8E5M2FNUZ[2] 0.00006103515625,1.5
func.func @main(%a: tensor<2xf8E5M2FNUZ>, %b: tensor<2xf8E5M2FNUZ>) -> tensor<2xf8E5M2FNUZ> {
  %0 = stablehlo.maximum %a, %b : tensor<2xf8E5M2FNUZ>
  return %0 : tensor<2xf8E5M2FNUZ>
}
