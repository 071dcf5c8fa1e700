; C[m n] = alpha A[m k] B[k n] + beta C, for the sizes and strides (in elements) of this moment:
; see docs/decisions/0043-products-and-threads.md. beta = 0 never reads C.
define void @{gemm}(i64 %m, i64 %n, i64 %k, {T} %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, {T} %beta, ptr %c, i64 %c.row, i64 %threads) #0 {
{library}  call void @{product}(i64 %m, i64 %n, i64 %k, {T} %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, {T} %beta, ptr %c, i64 %c.row, i64 %threads, i64 0, ptr null, ptr null)
  ret void
}
