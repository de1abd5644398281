// concatenate of 2-bit integers: XLA ends the process with a failed check of its own.
// right: i2[2,4] 1,-1,1,-1,0,-2,0,-2
// XLA: crashed
func.func @main() -> tensor<2x4xi2> {
  %0 = stablehlo.constant dense<[[1, -1], [0, -2]]> : tensor<2x2xi2>
  %a = stablehlo.optimization_barrier %0 : tensor<2x2xi2>
  %1 = stablehlo.concatenate %a, %a, dim = 1 : (tensor<2x2xi2>, tensor<2x2xi2>) -> tensor<2x4xi2>
  return %1 : tensor<2x4xi2>
}
