// rng_bit_generator: the output has the element type that the program asks for. XLA gives unsigned integers for signed ones.
// right: i32[2] 43444564,-2144348869
// XLA: refused
func.func @main() -> tensor<2xi32> {
  %0 = stablehlo.constant dense<[1, 2]> : tensor<2xui64>
  %1:2 = stablehlo.rng_bit_generator %0, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<2xi32>)
  return %1#1 : tensor<2xi32>
}
