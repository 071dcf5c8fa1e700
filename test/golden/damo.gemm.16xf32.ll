; C[m n] = alpha A[m k] B[k n] + beta C, for the sizes and strides (in elements) of this moment:
; see docs/decisions/0043-products-and-threads.md. beta = 0 never reads C.
define void @damo.gemm.16xf32(i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, float %beta, ptr %c, i64 %c.row, i64 %threads) #0 {
  call void @damo.product.16xf32(i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, float %beta, ptr %c, i64 %c.row, i64 %threads, i64 0, ptr null, ptr null)
  ret void
}
declare void @damo.product.16xf32(i64, i64, i64, float, ptr, i64, i64, ptr, i64, i64, float, ptr, i64, i64, i64, ptr, ptr)

attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
