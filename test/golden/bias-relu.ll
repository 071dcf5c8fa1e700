define hidden void @k.k.d74fccd653654aa7(ptr noalias nocapture %p0, ptr noalias nocapture readonly %p1, i64 %d.n) #0 {
entry:
  %t4 = icmp sgt i64 %d.n, 0
  br i1 %t4, label %loop.0, label %done.1
loop.0:
  %n.i = phi i64 [ 0, %entry ], [ %t3, %next.2 ]
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
  %t22 = icmp slt i64 %t3, %d.n
  br i1 %t22, label %loop.0, label %done.1
done.1:
  ret void
}


attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}

declare hidden void @k.k.d74fccd653654aa7(ptr nocapture, ptr nocapture readonly, i64) nounwind memory(argmem: readwrite)

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %dims, i64 0
  %t1 = load i64, ptr %t0
  %t2 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t5 = load ptr, ptr %t4
  call void @k.k.d74fccd653654aa7(ptr %t3, ptr %t5, i64 %t1)
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
