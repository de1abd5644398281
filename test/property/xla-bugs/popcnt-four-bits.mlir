// popcnt: the number of bits set; -1 in 4 bits has 4. XLA extends the sign to 8 bits.
// right: i4[2] 2,4
// XLA: i4[2] 2,-8
func.func @main() -> tensor<2xi4> {
  %0 = stablehlo.constant dense<[3, -1]> : tensor<2xi4>
  %a = stablehlo.optimization_barrier %0 : tensor<2xi4>
  %1 = stablehlo.popcnt %a : tensor<2xi4>
  return %1 : tensor<2xi4>
}
