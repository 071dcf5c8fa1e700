define hidden void @k.k.df9c74b0ff98c518(ptr noalias %p0, ptr noalias readonly %p1, i64 %d.n, i64 %threads) #0 {
entry:
  %t20 = alloca [13 x i64]
  %t4 = icmp sgt i64 %threads, 1
  br i1 %t4, label %look.1, label %one.3
look.1:
  %t5 = sitofp i64 500 to double
  %t6 = fmul double %t5, 0x3FBE69AD42C3C9EE
  %t7 = fadd double %t6, 0x3FE0000000000000
  %t8 = sitofp i64 %d.n to double
  %t9 = fmul double %t8, %t7
  %t10 = fadd double %t9, 0x3FE0000000000000
  %t11 = fcmp oge double %t10, 0x40D3880000000000
  br i1 %t11, label %several.2, label %one.3
several.2:
  %t12 = fdiv double %t10, 0x40BF400000000000
  %t13 = call double @llvm.minnum.f64(double %t12, double 256.0)
  %t14 = fptosi double %t13 to i64
  %t15 = call i64 @llvm.smax.i64(i64 %t14, i64 1)
  %t16 = sub i64 %t15, 1
  %t17 = add i64 %d.n, %t16
  %t18 = udiv i64 %t17, %t15
  %t19 = call i64 @llvm.smax.i64(i64 %t18, i64 1)
  %t21 = getelementptr inbounds i64, ptr %t20, i64 10
  store ptr %p0, ptr %t21
  %t22 = getelementptr inbounds i64, ptr %t20, i64 11
  store ptr %p1, ptr %t22
  %t23 = getelementptr inbounds i64, ptr %t20, i64 12
  store i64 %d.n, ptr %t23
  %t24 = getelementptr inbounds i64, ptr %t20, i64 0
  store ptr @k.k.df9c74b0ff98c518.part.0, ptr %t24
  %t25 = getelementptr inbounds i64, ptr %t20, i64 1
  store i64 %t19, ptr %t25
  %t26 = getelementptr inbounds i64, ptr %t20, i64 2
  store i64 %d.n, ptr %t26
  %t27 = getelementptr inbounds i64, ptr %t20, i64 3
  store i64 -1, ptr %t27
  call void @damo.ranges(ptr %t20, i64 %threads)
  br label %after.0
one.3:
  call void @k.k.df9c74b0ff98c518.range.0(ptr %p0, ptr %p1, i64 %d.n, i64 0, i64 %d.n)
  br label %after.0
after.0:
  ret void
}

define internal void @k.k.df9c74b0ff98c518.range.0(ptr noalias nocapture %p0, ptr noalias nocapture readonly %p1, i64 %d.n, i64 %from, i64 %to) #0 {
entry:
  %t4 = icmp sgt i64 %to, %from
  br i1 %t4, label %loop.0, label %done.1
loop.0:
  %n.i = phi i64 [ %from, %entry ], [ %t3, %next.2 ]
  %t9 = icmp sgt i64 500, 0
  br i1 %t9, label %loop.5, label %done.6
loop.5:
  %n.j = phi i64 [ 0, %loop.0 ], [ %t8, %next.7 ]
  %t10 = mul nsw i64 %n.i, 500
  %t11 = add nsw i64 %t10, %n.j
  %t12 = getelementptr inbounds float, ptr %p0, i64 %t11
  %t13 = load float, ptr %t12
  %t14 = getelementptr inbounds float, ptr %p1, i64 %n.j
  %t15 = load float, ptr %t14
  %t16 = fadd float %t13, %t15
  %t17 = call float @llvm.maximum.f32(float 0x0000000000000000, float %t16)
  %t18 = mul nsw i64 %n.i, 500
  %t19 = add nsw i64 %t18, %n.j
  %t20 = getelementptr inbounds float, ptr %p0, i64 %t19
  store float %t17, ptr %t20
  br label %next.7
next.7:
  %t8 = add nuw nsw i64 %n.j, 1
  %t21 = icmp slt i64 %t8, 500
  br i1 %t21, label %loop.5, label %done.6
done.6:
  br label %next.2
next.2:
  %t3 = add nuw nsw i64 %n.i, 1
  %t22 = icmp slt i64 %t3, %to
  br i1 %t22, label %loop.0, label %done.1
done.1:
  ret void
}

define internal void @k.k.df9c74b0ff98c518.part.0(ptr %context, i64 %from, i64 %to) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %context, i64 10
  %t1 = load ptr, ptr %t0
  %t2 = getelementptr inbounds i64, ptr %context, i64 11
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds i64, ptr %context, i64 12
  %t5 = load i64, ptr %t4
  %t6 = getelementptr inbounds i64, ptr %context, i64 1
  %t7 = load i64, ptr %t6
  %t8 = udiv i64 %from, %t7
  call void @k.k.df9c74b0ff98c518.range.0(ptr %t1, ptr %t3, i64 %t5, i64 %from, i64 %to)
  ret void
}

declare void @damo.ranges(ptr, i64)

attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
!5 = distinct !{!5, !6}
!6 = !{!"llvm.loop.vectorize.width", i32 16}
!3 = distinct !{!3, !4}
!7 = distinct !{!7, !4, !6}
!8 = distinct !{!8, !9}
!9 = !{!"llvm.loop.interleave.count", i32 2}

declare hidden void @k.k.df9c74b0ff98c518(ptr nocapture, ptr nocapture readonly, i64, i64) nounwind
declare void @damo.ranges(ptr, i64)

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %dims, i64 0
  %t1 = load i64, ptr %t0
  %t2 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t5 = load ptr, ptr %t4
  %t6 = getelementptr inbounds i64, ptr %failure, i64 37
  %t7 = load i64, ptr %t6
  call void @k.k.df9c74b0ff98c518(ptr %t3, ptr %t5, i64 %t1, i64 %t7)
  ret i32 0
}

define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) #2 {
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %look ]
  %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
  %ok = icmp eq i32 %status, 0
  br i1 %ok, label %fine, label %done
fine:
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %look, label %done
look:
  %address = getelementptr inbounds i64, ptr %failure, i64 3
  %word = load volatile i64, ptr %address
  %go = icmp eq i64 %word, 0
  br i1 %go, label %loop, label %done
done:
  %result = phi i32 [ 0, %entry ], [ 0, %fine ], [ %status, %loop ], [ 2, %look ]
  ret i32 %result
}

attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
!5 = distinct !{!5, !6}
!6 = !{!"llvm.loop.vectorize.width", i32 16}
!3 = distinct !{!3, !4}
!7 = distinct !{!7, !4, !6}
!8 = distinct !{!8, !9}
!9 = !{!"llvm.loop.interleave.count", i32 2}
