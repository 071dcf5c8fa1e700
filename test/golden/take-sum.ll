define hidden i32 @k.k.9cb26b14d86d43d8(ptr noalias nocapture readonly %p0, ptr noalias nocapture readonly %p1, ptr noalias nocapture writeonly %p2, i64 %d.m, i64 %d.n, ptr noalias nocapture %failure) #0 {
entry:
  %v.s = alloca float
  store float 0x0000000000000000, ptr %v.s
  %t4 = icmp sgt i64 %d.n, 0
  br i1 %t4, label %loop.0, label %done.1
loop.0:
  %n.i = phi i64 [ 0, %entry ], [ %t3, %next.2 ]
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
  %t19 = icmp slt i64 %t3, %d.n
  br i1 %t19, label %loop.0, label %done.1
done.1:
  %t20 = load float, ptr %v.s
  %t21 = getelementptr inbounds float, ptr %p2, i64 0
  store float %t20, ptr %t21
  ret i32 0
}


attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}

declare hidden i32 @k.k.9cb26b14d86d43d8(ptr nocapture readonly, ptr nocapture readonly, ptr nocapture writeonly, i64, i64, ptr nocapture) nounwind memory(argmem: readwrite)

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
  %t10 = call i32 @k.k.9cb26b14d86d43d8(ptr %t5, ptr %t7, ptr %t9, i64 %t3, i64 %t1, ptr %failure)
  %t11 = icmp eq i32 %t10, 0
  br i1 %t11, label %fine.12, label %fail.13
fail.13:
  ret i32 %t10
fine.12:
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
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
