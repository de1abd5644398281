/** Optimised programs as XLA prints them for a TPU, shortened. */

/** A product whose scores are selected from inside the fusion that makes them, its twin, and a sort of what is left. */
export const fusedSearch = `HloModule search, is_scheduled=true, entry_computation_layout={(f32[128,64]{1,0:T(8,128)})->f32[128,32]{1,0}}

FileNames
1 "-"
2 "src/model.ts"

FunctionNames
1 "layer1/nearest[xla]"

FileLocations
1 {file_name_id=2 function_name_id=1 line=37 end_line=37 column=49 end_column=49}

StackFrames
1 {file_location_id=1 parent_frame_id=1}

%gt (a: f32[], b: f32[]) -> pred[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %c = pred[]{:T(512)} compare(%a, %b), direction=GT
}

%inner (p: f32[128,64], r: f32[1024,64]) -> f32[128,1024] {
  %p.1 = f32[128,64]{1,0:T(8,128)} parameter(0)
  %r.1 = f32[1024,64]{1,0:T(8,128)} parameter(1)
  ROOT %conv = f32[128,1024]{1,0:T(8,128)} convolution(%p.1, %r.1), dim_labels=bf_oi->bf, metadata={op_name="layer1/nearest[xla]" stack_frame_id=1}
}

%fused (p: f32[128,64], r: f32[1024,64]) -> f32[128,256] {
  %p.2 = f32[128,64]{1,0:T(8,128)} parameter(0)
  %r.2 = f32[1024,64]{1,0:T(8,128)} parameter(1)
  %scores = f32[128,1024]{1,0:T(8,128)} fusion(%p.2, %r.2), kind=kOutput, calls=%inner
  ROOT %best = f32[128,256]{1,0:T(8,128)S(1)} custom-call(%scores), custom_call_target="PartialReduce", called_computations={%gt}
}

ENTRY %main (q: f32[128,64], d: f32[1024,64]) -> (f32[128,256], f32[4,64]) {
  %q = f32[128,64]{1,0:T(8,128)} parameter(0), metadata={op_name="a \\"quoted\\" (name)"}
  %d = f32[1024,64]{1,0:T(8,128)} parameter(1)
  %fusion.1 = f32[128,256]{1,0:T(8,128)S(1)} fusion(%q, %d), kind=kCustom, calls=%fused, metadata={op_name="layer1/nearest[xla]" stack_frame_id=1}, backend_config={"flag_configs":[],"used_scoped_memory_configs":[{"memory_space":"1","offset":"0","size":"274432"}]}
  %sort.1 = f32[128,256]{1,0:T(8,128)} sort(%fusion.1), dimensions={1}, to_apply=%gt, metadata={op_name="layer1/nearest[xla]/sort" source_file="-" source_line=9 source_end_line=9 source_column=13 source_end_column=13}
  %sl = ((f32[1024,64]{1,0:T(8,128)}), f32[4,64]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%d), slice={[0:4], [0:64]}
  %sd = f32[4,64]{1,0:T(8,128)S(1)} slice-done(%sl)
  ROOT %tuple = (f32[128,256]{1,0:T(8,128)}, /*index=1*/f32[4,64]{1,0:T(8,128)S(1)}) tuple(%sort.1, %sd)
}

`

/** A loop whose body updates a row of a table in place and gathers two, a twin of an op, and a conditional. */
export const loopProgram = `HloModule loop, is_scheduled=true

%update (t: f32[1000,64], r: f32[1,64], i: s32[]) -> f32[1000,64] {
  %t.1 = f32[1000,64]{1,0} parameter(0)
  %r.1 = f32[1,64]{1,0} parameter(1)
  %i.1 = s32[] parameter(2)
  %zero = s32[] constant(0)
  ROOT %dus = f32[1000,64]{1,0} dynamic-update-slice(%t.1, %r.1, %i.1, %zero)
}

%double (x: f32[64]) -> f32[64] {
  %x.1 = f32[64]{0} parameter(0)
  ROOT %twice = f32[64]{0} add(%x.1, %x.1)
}

%double.again (y: f32[64]) -> f32[64] {
  %y.9 = f32[64]{0} parameter(0)
  ROOT %twice.9 = f32[64]{0} add(%y.9, %y.9)
}

%body (s: (s32[], f32[1000,64])) -> (s32[], f32[1000,64]) {
  %s = (s32[], f32[1000,64]{1,0}) parameter(0)
  %count = s32[] get-tuple-element(%s), index=0
  %table = f32[1000,64]{1,0} get-tuple-element(%s), index=1
  %row = f32[1,64]{1,0} dynamic-slice(%table, %count, %count), dynamic_slice_sizes={1,64}
  %new = f32[1000,64]{1,0} fusion(%table, %row, %count), kind=kLoop, calls=%update
  ROOT %next = (s32[], f32[1000,64]{1,0}) tuple(%count, %new)
}

%condition (s: (s32[], f32[1000,64])) -> pred[] {
  %s.1 = (s32[], f32[1000,64]{1,0}) parameter(0)
  %count.1 = s32[] get-tuple-element(%s.1), index=0
  %limit = s32[] constant(12)
  ROOT %less = pred[] compare(%count.1, %limit), direction=LT
}

%short (x: f32[64]) -> f32[64] {
  ROOT %same = f32[64]{0} parameter(0)
}

%long (x: f32[64]) -> f32[64] {
  %x.2 = f32[64]{0} parameter(0)
  ROOT %fusion.long = f32[64]{0} fusion(%x.2), kind=kLoop, calls=%double
}

ENTRY %main (t: f32[1000,64], x: f32[64], p: pred[]) -> f32[64] {
  %t = f32[1000,64]{1,0} parameter(0)
  %x = f32[64]{0} parameter(1)
  %p = pred[] parameter(2)
  %start = s32[] constant(2)
  %state = (s32[], f32[1000,64]{1,0}) tuple(%start, %t)
  %while.1 = (s32[], f32[1000,64]{1,0}) while(%state), condition=%condition, body=%body
  %fusion.9 = f32[64]{0} fusion(%x), kind=kLoop, calls=%double.again
  ROOT %choice = f32[64]{0} conditional(%p, %fusion.9, %fusion.9), true_computation=%short, false_computation=%long
}
`
