declare void @damo.short.16xf32(i64, i64, i64, float, ptr, i64, i64, ptr, i64, i64, float, ptr, i64, i64)

define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %dims, i64 0
  %t1 = load i64, ptr %t0
  %t2 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t5 = load ptr, ptr %t4
  %t6 = getelementptr inbounds ptr, ptr %buffers, i64 2
  %t7 = load ptr, ptr %t6
  %t8 = getelementptr inbounds i64, ptr %failure, i64 37
  %t9 = load i64, ptr %t8
  call void @damo.short.16xf32(i64 %t1, i64 10, i64 784, float 0x3ff0000000000000, ptr %t3, i64 784, i64 1, ptr %t5, i64 10, i64 1, float 0x0000000000000000, ptr %t7, i64 10, i64 %t9)
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
