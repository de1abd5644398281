// divide: an integer divided by zero has some value, here all bits set as when the program divides while it runs. XLA divides while it compiles, and the process is ended.
// input: i32[2] 5,7
// right: i32[2] -1,-1
// XLA: crashed
func.func @main(%a: tensor<2xi32>) -> tensor<2xi32> {
  %0 = stablehlo.xor %a, %a : tensor<2xi32>
  %1 = stablehlo.divide %0, %0 : tensor<2xi32>
  return %1 : tensor<2xi32>
}
