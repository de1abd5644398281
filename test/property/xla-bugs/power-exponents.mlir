// power: 7 to the 65535th modulo 65536 is 28087, and the -1st power of -1 is -1. XLA takes large unsigned exponents for negative ones, and gives 0 for negative ones.
// input: u16[1] 7
// input: u16[1] 65535
// input: i32[1] -1
// right: u16[1] 28087; i32[1] -1
// XLA: u16[1] 0; i32[1] 0
func.func @main(%a: tensor<1xui16>, %b: tensor<1xui16>, %c: tensor<1xi32>) -> (tensor<1xui16>, tensor<1xi32>) {
  %3 = stablehlo.power %a, %b : tensor<1xui16>
  %4 = stablehlo.power %c, %c : tensor<1xi32>
  return %3, %4 : tensor<1xui16>, tensor<1xi32>
}
