// scatter: each element of the updates is left out whose place lies outside. XLA leaves out the whole window if any lies outside.
// right: i32[4] 12,23,30,40
// XLA: i32[4] 10,20,30,40
func.func @main() -> tensor<4xi32> {
  %0 = stablehlo.constant dense<[10, 20, 30, 40]> : tensor<4xi32>
  %1 = stablehlo.constant dense<[-1]> : tensor<1xi32>
  %2 = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  %3 = "stablehlo.scatter"(%0, %1, %2) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0], scatter_dims_to_operand_dims = [0]>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %4 = stablehlo.add %a, %b : tensor<i32>
    stablehlo.return %4 : tensor<i32>
  }) : (tensor<4xi32>, tensor<1xi32>, tensor<3xi32>) -> tensor<4xi32>
  return %3 : tensor<4xi32>
}
