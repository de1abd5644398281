// scatter: an index without components names element 0, so both updates are added to it. XLA adds one to each element.
// input: i32[2] 10,20
// input: i32[0,2] -
// input: i32[2] 1,2
// right: i32[2] 13,20
// XLA: i32[2] 11,22
func.func @main(%a: tensor<2xi32>, %i: tensor<0x2xi32>, %u: tensor<2xi32>) -> tensor<2xi32> {
  %0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0]>}> ({
  ^bb0(%b: tensor<i32>, %c: tensor<i32>):
    %1 = stablehlo.add %b, %c : tensor<i32>
    stablehlo.return %1 : tensor<i32>
  }) : (tensor<2xi32>, tensor<0x2xi32>, tensor<2xi32>) -> tensor<2xi32>
  return %0 : tensor<2xi32>
}
