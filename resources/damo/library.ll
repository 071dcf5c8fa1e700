; C[m n] = alpha A[m k] B[k n] + beta C by gemm of a library, where BLAS can be told of the strides and
; sizes (in elements): A and B have a unit stride along one axis, no line overlaps the next, nothing
; needs more than 31 bits. Gives whether it could. There are several rows, columns and terms.
define i1 @{library}(i64 %m, i64 %n, i64 %k, {T} %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, {T} %beta, ptr %c, i64 %c.row) #0 {
entry:
  %a.rows = icmp eq i64 %a.col, 1
  %a.columns = icmp eq i64 %a.row, 1
  %a.lead = select i1 %a.rows, i64 %a.row, i64 %a.col
  %a.least = select i1 %a.rows, i64 %k, i64 %m
  %a.wide = icmp sge i64 %a.lead, %a.least
  %a.either = or i1 %a.rows, %a.columns
  %a.fits = and i1 %a.wide, %a.either
  %b.rows = icmp eq i64 %b.col, 1
  %b.columns = icmp eq i64 %b.row, 1
  %b.lead = select i1 %b.rows, i64 %b.row, i64 %b.col
  %b.least = select i1 %b.rows, i64 %n, i64 %k
  %b.wide = icmp sge i64 %b.lead, %b.least
  %b.either = or i1 %b.rows, %b.columns
  %b.fits = and i1 %b.wide, %b.either
  %c.fits = icmp sge i64 %c.row, %n
  %largest.1 = call i64 @llvm.smax.i64(i64 %m, i64 %n)
  %largest.2 = call i64 @llvm.smax.i64(i64 %largest.1, i64 %k)
  %largest.3 = call i64 @llvm.smax.i64(i64 %largest.2, i64 %a.lead)
  %largest.4 = call i64 @llvm.smax.i64(i64 %largest.3, i64 %b.lead)
  %largest = call i64 @llvm.smax.i64(i64 %largest.4, i64 %c.row)
  %small = icmp sle i64 %largest, 2147483647
  %fits.1 = and i1 %a.fits, %b.fits
  %fits.2 = and i1 %c.fits, %small
  %fits = and i1 %fits.1, %fits.2
  br i1 %fits, label %call, label %done

call:
  %m32 = trunc i64 %m to i32
  %n32 = trunc i64 %n to i32
  %k32 = trunc i64 %k to i32
  %lda = trunc i64 %a.lead to i32
  %ldb = trunc i64 %b.lead to i32
  %ldc = trunc i64 %c.row to i32
  %a.order = select i1 %a.rows, i32 111, i32 112
  %b.order = select i1 %b.rows, i32 111, i32 112
  call void @cblas_{s}gemm(i32 101, i32 %a.order, i32 %b.order, i32 %m32, i32 %n32, i32 %k32, {T} %alpha, ptr %a, i32 %lda, ptr %b, i32 %ldb, {T} %beta, ptr %c, i32 %ldc)
  br label %done

done:
  ret i1 %fits
}

declare void @cblas_{s}gemm(i32, i32, i32, i32, i32, i32, {T}, ptr, i32, ptr, i32, {T}, ptr, i32)
