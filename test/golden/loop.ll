define hidden void @k.first.3a6f87aebc30e711(ptr noalias nocapture readonly %p0, ptr noalias nocapture writeonly %p1, ptr noalias nocapture writeonly %p2) #0 {
entry:
  %t0 = getelementptr inbounds double, ptr %p0, i64 0
  %t1 = load double, ptr %t0
  %t2 = fadd double %t1, 0x3ff0000000000000
  %t3 = getelementptr inbounds double, ptr %p1, i64 0
  store double %t2, ptr %t3
  %t4 = getelementptr inbounds double, ptr %p0, i64 0
  %t5 = load double, ptr %t4
  %t6 = fcmp oeq double %t5, 0x0000000000000000
  %t7 = zext i1 %t6 to i8
  %t8 = getelementptr inbounds i8, ptr %p2, i64 0
  store i8 %t7, ptr %t8
  ret void
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

define hidden void @k.last.dc63a7b767d628b0(ptr noalias nocapture readonly %p0, ptr noalias nocapture writeonly %p1, ptr noalias nocapture writeonly %p2, i64 %d.m) #0 {
entry:
  %t0 = urem i64 %d.m, 2
  %t1 = getelementptr inbounds double, ptr %p0, i64 %t0
  %t2 = load double, ptr %t1
  %t3 = getelementptr inbounds double, ptr %p1, i64 0
  store double %t2, ptr %t3
  %t4 = getelementptr inbounds i64, ptr %p2, i64 0
  store i64 %d.m, ptr %t4
  ret void
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


define internal void @k.next.50fd08a5d87b5b3a(ptr noalias nocapture readonly %p0, ptr noalias nocapture readonly %p1, ptr noalias nocapture writeonly %p2, ptr noalias nocapture writeonly %p3) #1 {
entry:
  %t0 = getelementptr inbounds double, ptr %p1, i64 0
  %t1 = load double, ptr %t0
  %t2 = getelementptr inbounds double, ptr %p0, i64 0
  %t3 = load double, ptr %t2
  %t4 = fdiv double %t3, %t1
  %t5 = fadd double %t1, %t4
  %t6 = fmul double 0x3fe0000000000000, %t5
  %t7 = getelementptr inbounds double, ptr %p2, i64 0
  store double %t6, ptr %t7
  %t8 = fcmp olt double %t6, %t1
  %t9 = xor i1 %t8, true
  %t10 = zext i1 %t9 to i8
  %t11 = getelementptr inbounds i8, ptr %p3, i64 0
  store i8 %t10, ptr %t11
  ret void
}


define hidden i32 @damo_loop.0(ptr %buffers, ptr %dims, ptr %failure, ptr noalias %b0, ptr noalias %b1, ptr %b2) #0 {
entry:
  %b3 = alloca [1 x i8]
  %status = alloca i32
  store [1 x i8] zeroinitializer, ptr %b3
  %t0 = load i8, ptr %b2
  %t1 = icmp ne i8 %t0, 0
  %t2 = select i1 %t1, i64 0, i64 1152921504606846976
  %t8 = icmp sgt i64 %t2, 0
  br i1 %t8, label %round.3, label %done.4
round.3:
  %t6 = phi i64 [ 0, %entry ], [ %t7, %after.15 ]
  %t9 = urem i64 %t6, 2
  %t10 = getelementptr inbounds double, ptr %b1, i64 %t9
  %t11 = add nsw i64 %t6, 1
  %t12 = urem i64 %t11, 2
  %t13 = getelementptr inbounds double, ptr %b1, i64 %t12
  call void @k.next.50fd08a5d87b5b3a(ptr %b0, ptr %t10, ptr %t13, ptr %b3)
  %t16 = and i64 %t6, 1023
  %t17 = icmp eq i64 %t16, 0
  br i1 %t17, label %look.14, label %after.15
look.14:
  %t20 = getelementptr inbounds i64, ptr %failure, i64 3
  %t21 = load volatile i64, ptr %t20
  %t22 = icmp eq i64 %t21, 0
  br i1 %t22, label %go.18, label %stop.19
stop.19:
  store i32 2, ptr %status
  br label %failed.5
go.18:
  br label %after.15
after.15:
  %t23 = load i8, ptr %b3
  %t24 = icmp ne i8 %t23, 0
  %t7 = add nuw nsw i64 %t6, 1
  %t25 = icmp slt i64 %t7, %t2
  %t26 = xor i1 %t24, true
  %t27 = and i1 %t25, %t26
  br i1 %t27, label %round.3, label %done.4
failed.5:
  %t28 = getelementptr inbounds i64, ptr %failure, i64 4
  %t29 = load i64, ptr %t28
  %t30 = mul nuw nsw i64 %t29, 2
  %t31 = getelementptr inbounds i64, ptr %t28, i64 %t30
  %t32 = getelementptr inbounds i64, ptr %t31, i64 1
  store i64 1, ptr %t32
  %t33 = getelementptr inbounds i64, ptr %t32, i64 1
  store i64 %t6, ptr %t33
  %t34 = add nuw nsw i64 %t29, 1
  store i64 %t34, ptr %t28
  %t35 = load i32, ptr %status
  ret i32 %t35
done.4:
  %t36 = phi i64 [ 0, %entry ], [ %t7, %after.15 ]
  %t37 = icmp sge i64 %t36, 0
  %t38 = icmp sle i64 %t36, 1152921504606846976
  %t39 = and i1 %t37, %t38
  br i1 %t39, label %fine.40, label %fail.41
fail.41:
  store i64 0, ptr %failure
  %t42 = getelementptr inbounds i64, ptr %failure, i64 1
  store i64 %t36, ptr %t42
  %t43 = getelementptr inbounds i64, ptr %failure, i64 2
  store i64 1152921504606846976, ptr %t43
  ret i32 1
fine.40:
  %t44 = getelementptr inbounds i64, ptr %dims, i64 0
  store i64 %t36, ptr %t44
  ret i32 0
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

declare hidden void @k.first.3a6f87aebc30e711(ptr nocapture readonly, ptr nocapture writeonly, ptr nocapture writeonly) nounwind memory(argmem: readwrite)
declare hidden i32 @damo_loop.0(ptr, ptr, ptr, ptr, ptr, ptr)
declare hidden void @k.last.dc63a7b767d628b0(ptr nocapture readonly, ptr nocapture writeonly, ptr nocapture writeonly, i64) nounwind memory(argmem: readwrite)

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t1 = load ptr, ptr %t0
  %t2 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 2
  %t5 = load ptr, ptr %t4
  call void @k.first.3a6f87aebc30e711(ptr %t1, ptr %t3, ptr %t5)
  %t8 = getelementptr inbounds i64, ptr %failure, i64 3
  %t9 = load volatile i64, ptr %t8
  %t10 = icmp eq i64 %t9, 0
  br i1 %t10, label %go.6, label %stop.7
stop.7:
  ret i32 2
go.6:
  %t11 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t12 = load ptr, ptr %t11
  %t13 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t14 = load ptr, ptr %t13
  %t15 = getelementptr inbounds ptr, ptr %buffers, i64 2
  %t16 = load ptr, ptr %t15
  %t17 = call i32 @damo_loop.0(ptr %buffers, ptr %dims, ptr %failure, ptr %t12, ptr %t14, ptr %t16)
  %t18 = icmp eq i32 %t17, 0
  br i1 %t18, label %fine.19, label %fail.20
fail.20:
  ret i32 %t17
fine.19:
  %t21 = getelementptr inbounds i64, ptr %dims, i64 0
  %t22 = load i64, ptr %t21
  %t25 = getelementptr inbounds i64, ptr %failure, i64 3
  %t26 = load volatile i64, ptr %t25
  %t27 = icmp eq i64 %t26, 0
  br i1 %t27, label %go.23, label %stop.24
stop.24:
  ret i32 2
go.23:
  %t28 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t29 = load ptr, ptr %t28
  %t30 = getelementptr inbounds ptr, ptr %buffers, i64 4
  %t31 = load ptr, ptr %t30
  %t32 = getelementptr inbounds ptr, ptr %buffers, i64 5
  %t33 = load ptr, ptr %t32
  call void @k.last.dc63a7b767d628b0(ptr %t29, ptr %t31, ptr %t33, i64 %t22)
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
