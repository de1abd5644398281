// dynamic_slice clamps its start, so that the slice lies inside: the second reads at [2, 1, 0] of the first. XLA makes one of both, clamped to the whole array only.
// input: i32[3,4,2] 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23
// input: i32[] 0
// input: i32[] 10
// input: i32[] 3
// right: i32[1,1,2] 18,19
// XLA: i32[1,1,2] 22,23
func.func @main(%a: tensor<3x4x2xi32>, %s: tensor<i32>, %t: tensor<i32>, %u: tensor<i32>) -> tensor<1x1x2xi32> {
  %0 = stablehlo.dynamic_slice %a, %s, %s, %s, sizes = [3, 2, 2] : (tensor<3x4x2xi32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<3x2x2xi32>
  %1 = stablehlo.dynamic_slice %0, %t, %u, %s, sizes = [1, 1, 2] : (tensor<3x2x2xi32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x1x2xi32>
  return %1 : tensor<1x1x2xi32>
}
