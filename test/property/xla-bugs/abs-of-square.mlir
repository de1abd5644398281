// abs: 12 * 12 is -112 in i8, and its absolute value 112. XLA takes a square for positive and leaves out abs.
// input: i8[2] 12,3
// right: i8[2] 112,9
// XLA: i8[2] -112,9
func.func @main(%a: tensor<2xi8>) -> tensor<2xi8> {
  %0 = stablehlo.multiply %a, %a : tensor<2xi8>
  %1 = stablehlo.abs %0 : tensor<2xi8>
  return %1 : tensor<2xi8>
}
