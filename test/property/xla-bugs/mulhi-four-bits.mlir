// The high half of the 8-bit product of 7 and -3, which is -21, is -2 (floor of -21/16). XLA gives another.
// right: i4[2] -2,0
// XLA: i4[2] -1,0
func.func @main() -> tensor<2xi4> {
  %0 = stablehlo.constant dense<[7, 4]> : tensor<2xi4>
  %1 = stablehlo.constant dense<[-3, 3]> : tensor<2xi4>
  %a, %b = stablehlo.optimization_barrier %0, %1 : tensor<2xi4>, tensor<2xi4>
  %2 = chlo.mulhi %a, %b : tensor<2xi4>, tensor<2xi4> -> tensor<2xi4>
  return %2 : tensor<2xi4>
}
