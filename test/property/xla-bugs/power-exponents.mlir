// power: 7 to the 65535th modulo 65536 is 28087, the -1st power of -1 is -1, and 5 to the 2147483647th is the inverse of 5. XLA takes large unsigned exponents for negative ones, gives 0 for negative ones, and drops bits of large ones.
// input: u16[1] 7
// input: u16[1] 65535
// input: i32[1] -1
// input: i32[1] 5
// input: i32[1] 2147483647
// right: u16[1] 28087; i32[1] -1; i32[1] -858993459
// XLA: u16[1] 0; i32[1] 0; i32[1] 1501274061
func.func @main(%a: tensor<1xui16>, %b: tensor<1xui16>, %c: tensor<1xi32>, %d: tensor<1xi32>, %e: tensor<1xi32>) -> (tensor<1xui16>, tensor<1xi32>, tensor<1xi32>) {
  %3 = stablehlo.power %a, %b : tensor<1xui16>
  %4 = stablehlo.power %c, %c : tensor<1xi32>
  %5 = stablehlo.power %d, %e : tensor<1xi32>
  return %3, %4, %5 : tensor<1xui16>, tensor<1xi32>, tensor<1xi32>
}
