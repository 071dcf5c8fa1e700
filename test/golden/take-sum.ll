define hidden i32 @k.k.cca85521b2b8425d(ptr noalias readonly %p0, ptr noalias readonly %p1, ptr noalias writeonly %p2, i64 %d.m, i64 %d.n, i64 %threads, ptr noalias nocapture %failure) #0 {
entry:
  %v.s = alloca float
  %t20 = alloca [15 x i64]
  %t30 = alloca [1024 x i64]
  %t33 = alloca [256 x i64]
  %t70 = alloca [1 x i64]
  store float 0x0000000000000000, ptr %v.s
  %t4 = sitofp i64 %d.n to double
  %t5 = fmul double %t4, 0x3FF4CCCCCCCCCCCE
  %t6 = fadd double %t5, 0x3FE0000000000000
  %t7 = fcmp oge double %t6, 0x40D3880000000000
  br i1 %t7, label %several.2, label %one.3
several.2:
  %t8 = fdiv double %t6, 0x40BF400000000000
  %t9 = call double @llvm.minnum.f64(double %t8, double 256.0)
  %t10 = fptosi double %t9 to i64
  %t11 = call i64 @llvm.smax.i64(i64 %t10, i64 1)
  %t12 = sub i64 %t11, 1
  %t13 = add i64 %d.n, %t12
  %t14 = udiv i64 %t13, %t11
  %t15 = sub i64 64, 1
  %t16 = add i64 %t14, %t15
  %t17 = udiv i64 %t16, 64
  %t18 = mul i64 %t17, 64
  %t19 = call i64 @llvm.smax.i64(i64 %t18, i64 1)
  %t21 = getelementptr inbounds i64, ptr %t20, i64 10
  store ptr %p0, ptr %t21
  %t22 = getelementptr inbounds i64, ptr %t20, i64 11
  store ptr %p1, ptr %t22
  %t23 = getelementptr inbounds i64, ptr %t20, i64 12
  store ptr %p2, ptr %t23
  %t24 = getelementptr inbounds i64, ptr %t20, i64 13
  store i64 %d.m, ptr %t24
  %t25 = getelementptr inbounds i64, ptr %t20, i64 14
  store i64 %d.n, ptr %t25
  %t26 = getelementptr inbounds i64, ptr %t20, i64 0
  store ptr @k.k.cca85521b2b8425d.part.0, ptr %t26
  %t27 = getelementptr inbounds i64, ptr %t20, i64 1
  store i64 %t19, ptr %t27
  %t28 = getelementptr inbounds i64, ptr %t20, i64 2
  store i64 %d.n, ptr %t28
  %t29 = getelementptr inbounds i64, ptr %t20, i64 3
  store i64 -1, ptr %t29
  %t31 = getelementptr inbounds i64, ptr %t20, i64 4
  store ptr %t30, ptr %t31
  %t32 = getelementptr inbounds i64, ptr %t20, i64 5
  store ptr %failure, ptr %t32
  %t34 = getelementptr inbounds i64, ptr %t20, i64 9
  store ptr %t33, ptr %t34
  call void @damo.ranges(ptr %t20, i64 %threads)
  %t35 = getelementptr inbounds i64, ptr %t20, i64 3
  %t36 = load i64, ptr %t35
  %t39 = icmp eq i64 %t36, -1
  br i1 %t39, label %fine.37, label %failed.38
failed.38:
  %t40 = mul i64 %t36, 4
  %t41 = getelementptr inbounds i64, ptr %t30, i64 %t40
  %t42 = getelementptr inbounds i64, ptr %t41, i64 0
  %t43 = load i64, ptr %t42
  %t44 = getelementptr inbounds i64, ptr %failure, i64 0
  store i64 %t43, ptr %t44
  %t45 = getelementptr inbounds i64, ptr %t41, i64 1
  %t46 = load i64, ptr %t45
  %t47 = getelementptr inbounds i64, ptr %failure, i64 1
  store i64 %t46, ptr %t47
  %t48 = getelementptr inbounds i64, ptr %t41, i64 2
  %t49 = load i64, ptr %t48
  %t50 = getelementptr inbounds i64, ptr %failure, i64 2
  store i64 %t49, ptr %t50
  %t51 = getelementptr inbounds i64, ptr %t41, i64 3
  %t52 = load i64, ptr %t51
  %t53 = trunc i64 %t52 to i32
  ret i32 %t53
fine.37:
  %t54 = sub i64 %t19, 1
  %t55 = add i64 %d.n, %t54
  %t56 = udiv i64 %t55, %t19
  %t62 = icmp sgt i64 %t56, 0
  br i1 %t62, label %loop.58, label %done.59
loop.58:
  %t57 = phi i64 [ 0, %fine.37 ], [ %t61, %next.60 ]
  %t63 = mul i64 %t57, 1
  %t64 = getelementptr inbounds i64, ptr %t33, i64 %t63
  %t65 = load float, ptr %v.s
  %t66 = getelementptr inbounds i64, ptr %t64, i64 0
  %t67 = load float, ptr %t66
  %t68 = fadd float %t65, %t67
  store float %t68, ptr %v.s
  br label %next.60
next.60:
  %t61 = add nuw nsw i64 %t57, 1
  %t69 = icmp slt i64 %t61, %t56
  br i1 %t69, label %loop.58, label %done.59
done.59:
  br label %after.0
one.3:
  %t71 = call i32 @k.k.cca85521b2b8425d.range.0(ptr %p0, ptr %p1, ptr %p2, i64 %d.m, i64 %d.n, ptr %failure, ptr %failure, i64 0, i64 %d.n, ptr %t70)
  %t72 = icmp eq i32 %t71, 0
  br i1 %t72, label %fine.73, label %fail.74
fail.74:
  ret i32 %t71
fine.73:
  %t75 = load float, ptr %v.s
  %t76 = getelementptr inbounds i64, ptr %t70, i64 0
  %t77 = load float, ptr %t76
  %t78 = fadd float %t75, %t77
  store float %t78, ptr %v.s
  br label %after.0
after.0:
  %t79 = load float, ptr %v.s
  %t80 = getelementptr inbounds float, ptr %p2, i64 0
  store float %t79, ptr %t80
  ret i32 0
}

define internal i32 @k.k.cca85521b2b8425d.range.0(ptr noalias nocapture readonly %p0, ptr noalias nocapture readonly %p1, ptr noalias nocapture writeonly %p2, i64 %d.m, i64 %d.n, ptr noalias nocapture %failure, ptr nocapture %asked, i64 %from, i64 %to, ptr noalias nocapture %partials) #0 {
entry:
  %v.s = alloca float
  store float 0x8000000000000000, ptr %v.s
  %t4 = icmp sgt i64 %to, %from
  br i1 %t4, label %loop.0, label %done.1
loop.0:
  %n.i = phi i64 [ %from, %entry ], [ %t3, %next.2 ]
  %t5 = getelementptr inbounds i64, ptr %p1, i64 %n.i
  %t6 = load i64, ptr %t5
  %t7 = icmp ult i64 %t6, %d.m
  br i1 %t7, label %fine.8, label %fail.9
fail.9:
  store i64 0, ptr %failure
  %t10 = getelementptr inbounds i64, ptr %failure, i64 1
  store i64 %t6, ptr %t10
  %t11 = getelementptr inbounds i64, ptr %failure, i64 2
  store i64 %d.m, ptr %t11
  ret i32 1
fine.8:
  %t12 = getelementptr inbounds float, ptr %p0, i64 %t6
  %t13 = load float, ptr %t12
  %t14 = getelementptr inbounds float, ptr %p0, i64 %t6
  %t15 = load float, ptr %t14
  %t16 = fmul contract float %t13, %t15
  %t17 = load float, ptr %v.s
  %t18 = fadd reassoc contract float %t17, %t16
  store float %t18, ptr %v.s
  br label %next.2
next.2:
  %t3 = add nuw nsw i64 %n.i, 1
  %t19 = icmp slt i64 %t3, %to
  br i1 %t19, label %loop.0, label %done.1
done.1:
  %t20 = load float, ptr %v.s
  %t21 = getelementptr inbounds i64, ptr %partials, i64 0
  store float %t20, ptr %t21
  ret i32 0
}

define internal void @k.k.cca85521b2b8425d.part.0(ptr %context, i64 %from, i64 %to) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %context, i64 10
  %t1 = load ptr, ptr %t0
  %t2 = getelementptr inbounds i64, ptr %context, i64 11
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds i64, ptr %context, i64 12
  %t5 = load ptr, ptr %t4
  %t6 = getelementptr inbounds i64, ptr %context, i64 13
  %t7 = load i64, ptr %t6
  %t8 = getelementptr inbounds i64, ptr %context, i64 14
  %t9 = load i64, ptr %t8
  %t10 = getelementptr inbounds i64, ptr %context, i64 1
  %t11 = load i64, ptr %t10
  %t12 = udiv i64 %from, %t11
  %t13 = getelementptr inbounds i64, ptr %context, i64 4
  %t14 = load ptr, ptr %t13
  %t15 = mul i64 %t12, 4
  %t16 = getelementptr inbounds i64, ptr %t14, i64 %t15
  %t17 = getelementptr inbounds i64, ptr %context, i64 5
  %t18 = load ptr, ptr %t17
  %t19 = getelementptr inbounds i64, ptr %context, i64 9
  %t20 = load ptr, ptr %t19
  %t21 = mul i64 %t12, 1
  %t22 = getelementptr inbounds i64, ptr %t20, i64 %t21
  %t23 = call i32 @k.k.cca85521b2b8425d.range.0(ptr %t1, ptr %t3, ptr %t5, i64 %t7, i64 %t9, ptr %t16, ptr %t18, i64 %from, i64 %to, ptr %t22)
  %t26 = icmp eq i32 %t23, 0
  br i1 %t26, label %fine.24, label %failed.25
failed.25:
  %t27 = zext i32 %t23 to i64
  %t28 = getelementptr inbounds i64, ptr %t16, i64 3
  store i64 %t27, ptr %t28
  %t29 = getelementptr inbounds i64, ptr %context, i64 3
  %t30 = atomicrmw umin ptr %t29, i64 %t12 acq_rel, align 8
  br label %fine.24
fine.24:
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

declare hidden i32 @k.k.cca85521b2b8425d(ptr nocapture readonly, ptr nocapture readonly, ptr nocapture writeonly, i64, i64, i64, ptr nocapture) nounwind
declare void @damo.ranges(ptr, i64)

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %dims, i64 0
  %t1 = load i64, ptr %t0
  %t2 = getelementptr inbounds i64, ptr %dims, i64 1
  %t3 = load i64, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t5 = load ptr, ptr %t4
  %t6 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t7 = load ptr, ptr %t6
  %t8 = getelementptr inbounds ptr, ptr %buffers, i64 2
  %t9 = load ptr, ptr %t8
  %t10 = getelementptr inbounds i64, ptr %failure, i64 37
  %t11 = load i64, ptr %t10
  %t12 = call i32 @k.k.cca85521b2b8425d(ptr %t5, ptr %t7, ptr %t9, i64 %t3, i64 %t1, i64 %t11, ptr %failure)
  %t13 = icmp eq i32 %t12, 0
  br i1 %t13, label %fine.14, label %fail.15
fail.15:
  ret i32 %t12
fine.14:
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
