; C[m n] = alpha A[m k] B[k n] + beta C, for the sizes and strides (in elements) of this moment.
; f32 is the dtype, float its LLVM type, s its BLAS letter. A and B have a unit stride along one axis;
; C has one along its last axis. What BLAS would refuse (a stride shorter than the row beside it, as
; broadcasting makes them; sizes over 31 bits) and k = 0 go to plain loops, which are not vectorised:
; they are rare, and would cost more to compile than all the rest. beta = 0 never reads C.
define void @damo.gemm.f32(i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, float %beta, ptr %c, i64 %c.row) #0 {
entry:
  %some.m = icmp sgt i64 %m, 0
  %some.n = icmp sgt i64 %n, 0
  %some = and i1 %some.m, %some.n
  br i1 %some, label %layout, label %done

layout:
  %one.m = icmp eq i64 %m, 1
  %one.n = icmp eq i64 %n, 1
  %one.k = icmp eq i64 %k, 1
  ; A lies by rows (leading dimension = row stride) or by columns. A single row or column may have
  ; any stride along the axis that it lacks.
  %a.unit = icmp eq i64 %a.col, 1
  %a.rows = or i1 %a.unit, %one.k
  %a.unit.row = icmp eq i64 %a.row, 1
  %a.columns = or i1 %a.unit.row, %one.m
  %a.by.rows = select i1 %one.m, i64 %k, i64 %a.row
  %a.by.columns = select i1 %one.k, i64 %m, i64 %a.col
  %a.lead = select i1 %a.rows, i64 %a.by.rows, i64 %a.by.columns
  %a.least = select i1 %a.rows, i64 %k, i64 %m
  %a.wide = icmp sge i64 %a.lead, %a.least
  %a.either = or i1 %a.rows, %a.columns
  %a.fits = and i1 %a.wide, %a.either
  ; B likewise.
  %b.unit = icmp eq i64 %b.col, 1
  %b.rows = or i1 %b.unit, %one.n
  %b.unit.row = icmp eq i64 %b.row, 1
  %b.columns = or i1 %b.unit.row, %one.k
  %b.by.rows = select i1 %one.k, i64 %n, i64 %b.row
  %b.by.columns = select i1 %one.n, i64 %k, i64 %b.col
  %b.lead = select i1 %b.rows, i64 %b.by.rows, i64 %b.by.columns
  %b.least = select i1 %b.rows, i64 %n, i64 %k
  %b.wide = icmp sge i64 %b.lead, %b.least
  %b.either = or i1 %b.rows, %b.columns
  %b.fits = and i1 %b.wide, %b.either
  %c.lead = select i1 %one.m, i64 %n, i64 %c.row
  %c.fits = icmp sge i64 %c.lead, %n
  %largest.1 = call i64 @llvm.smax.i64(i64 %m, i64 %n)
  %largest.2 = call i64 @llvm.smax.i64(i64 %largest.1, i64 %k)
  %largest.3 = call i64 @llvm.smax.i64(i64 %largest.2, i64 %a.lead)
  %largest.4 = call i64 @llvm.smax.i64(i64 %largest.3, i64 %b.lead)
  %largest = call i64 @llvm.smax.i64(i64 %largest.4, i64 %c.lead)
  %small = icmp sle i64 %largest, 2147483647
  %some.k = icmp sgt i64 %k, 0
  %fits.1 = and i1 %a.fits, %b.fits
  %fits.2 = and i1 %c.fits, %small
  %fits.3 = and i1 %fits.1, %fits.2
  %fits = and i1 %fits.3, %some.k
  br i1 %fits, label %library, label %plain

library:
  %m32 = trunc i64 %m to i32
  %n32 = trunc i64 %n to i32
  %k32 = trunc i64 %k to i32
  %lda = trunc i64 %a.lead to i32
  %ldb = trunc i64 %b.lead to i32
  %ldc = trunc i64 %c.lead to i32
  br i1 %one.m, label %row, label %not.row

row:
  ; c' = alpha B' a' + beta c'
  %row.order = select i1 %b.rows, i32 112, i32 111
  %row.m = select i1 %b.rows, i32 %k32, i32 %n32
  %row.n = select i1 %b.rows, i32 %n32, i32 %k32
  %row.step = select i1 %one.k, i64 1, i64 %a.col
  %row.step32 = trunc i64 %row.step to i32
  call void @cblas_sgemv(i32 101, i32 %row.order, i32 %row.m, i32 %row.n, float %alpha, ptr %b, i32 %ldb, ptr %a, i32 %row.step32, float %beta, ptr %c, i32 1)
  br label %done

not.row:
  br i1 %one.n, label %column, label %not.column

column:
  ; c = alpha A b + beta c
  %column.order = select i1 %a.rows, i32 111, i32 112
  %column.m = select i1 %a.rows, i32 %m32, i32 %k32
  %column.n = select i1 %a.rows, i32 %k32, i32 %m32
  %column.step = select i1 %one.k, i64 1, i64 %b.row
  %column.step32 = trunc i64 %column.step to i32
  call void @cblas_sgemv(i32 101, i32 %column.order, i32 %column.m, i32 %column.n, float %alpha, ptr %a, i32 %lda, ptr %b, i32 %column.step32, float %beta, ptr %c, i32 %ldc)
  br label %done

not.column:
  %adds = fcmp oeq float %beta, 1.0
  %is.outer = and i1 %one.k, %adds
  br i1 %is.outer, label %outer, label %full

outer:
  ; C += alpha a b'
  %outer.a = trunc i64 %a.row to i32
  %outer.b = trunc i64 %b.col to i32
  call void @cblas_sger(i32 101, i32 %m32, i32 %n32, float %alpha, ptr %a, i32 %outer.a, ptr %b, i32 %outer.b, ptr %c, i32 %ldc)
  br label %done

full:
  %full.a = select i1 %a.rows, i32 111, i32 112
  %full.b = select i1 %b.rows, i32 111, i32 112
  call void @cblas_sgemm(i32 101, i32 %full.a, i32 %full.b, i32 %m32, i32 %n32, i32 %k32, float %alpha, ptr %a, i32 %lda, ptr %b, i32 %ldb, float %beta, ptr %c, i32 %ldc)
  br label %done

plain:
  %reads = fcmp une float %beta, 0.0
  br label %plain.row

plain.row:
  %i = phi i64 [ 0, %plain ], [ %i.next, %plain.row.next ]
  %i.a = mul nsw i64 %i, %a.row
  %i.c = mul nsw i64 %i, %c.row
  %a.i = getelementptr inbounds float, ptr %a, i64 %i.a
  %c.i = getelementptr inbounds float, ptr %c, i64 %i.c
  br label %plain.element

plain.element:
  %j = phi i64 [ 0, %plain.row ], [ %j.next, %plain.element.next ]
  %j.b = mul nsw i64 %j, %b.col
  %b.j = getelementptr inbounds float, ptr %b, i64 %j.b
  %c.ij = getelementptr inbounds float, ptr %c.i, i64 %j
  br i1 %some.k, label %plain.term, label %plain.sum

plain.term:
  %l = phi i64 [ 0, %plain.element ], [ %l.next, %plain.term ]
  %partial = phi float [ 0.0, %plain.element ], [ %partial.next, %plain.term ]
  %l.a = mul nsw i64 %l, %a.col
  %l.b = mul nsw i64 %l, %b.row
  %a.il = getelementptr inbounds float, ptr %a.i, i64 %l.a
  %b.lj = getelementptr inbounds float, ptr %b.j, i64 %l.b
  %x = load float, ptr %a.il
  %y = load float, ptr %b.lj
  %xy = fmul contract float %x, %y
  %partial.next = fadd reassoc contract float %partial, %xy
  %l.next = add nuw nsw i64 %l, 1
  %l.more = icmp slt i64 %l.next, %k
  br i1 %l.more, label %plain.term, label %plain.scaled, !llvm.loop !0

plain.scaled:
  %scaled = fmul float %alpha, %partial.next
  br label %plain.sum

plain.sum:
  %product = phi float [ 0.0, %plain.element ], [ %scaled, %plain.scaled ]
  br i1 %reads, label %plain.add, label %plain.element.next

plain.add:
  %old = load float, ptr %c.ij
  %kept = fmul float %beta, %old
  %total = fadd float %product, %kept
  br label %plain.element.next

plain.element.next:
  %result = phi float [ %product, %plain.sum ], [ %total, %plain.add ]
  store float %result, ptr %c.ij
  %j.next = add nuw nsw i64 %j, 1
  %j.more = icmp slt i64 %j.next, %n
  br i1 %j.more, label %plain.element, label %plain.row.next

plain.row.next:
  %i.next = add nuw nsw i64 %i, 1
  %i.more = icmp slt i64 %i.next, %m
  br i1 %i.more, label %plain.row, label %done

done:
  ret void
}

declare void @cblas_sgemv(i32, i32, i32, i32, float, ptr, i32, ptr, i32, float, ptr, i32)
declare void @cblas_sger(i32, i32, i32, float, ptr, i32, ptr, i32, ptr, i32)
declare void @cblas_sgemm(i32, i32, i32, i32, i32, i32, float, ptr, i32, ptr, i32, float, ptr, i32)

attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
