; damo program test
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
  %t8 = getelementptr inbounds ptr, ptr %buffers, i64 3
  %t9 = load ptr, ptr %t8
  %t10 = getelementptr inbounds float, ptr %t3, i64 0
  %t11 = getelementptr inbounds float, ptr %t5, i64 0
  %t12 = getelementptr inbounds float, ptr %t7, i64 0
  %t16 = mul i64 %t1, 784
  %t17 = icmp sle i64 %t16, 65536
  br i1 %t17, label %narrow.13, label %wide.14
narrow.13:
  call void @damo.narrow.f32.10(i64 %t1, i64 784, float 0x3ff0000000000000, ptr %t10, i64 784, i64 1, ptr %t11, i64 10, float 0x0000000000000000, ptr %t12, i64 10)
  br label %done.15
wide.14:
  call void @damo.gemm.f32(i64 %t1, i64 10, i64 784, float 0x3ff0000000000000, ptr %t10, i64 784, i64 1, ptr %t11, i64 10, i64 1, float 0x0000000000000000, ptr %t12, i64 10)
  br label %done.15
done.15:
  ret i32 0
}

define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) #2 {
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %fine ]
  %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
  %ok = icmp eq i32 %status, 0
  br i1 %ok, label %fine, label %done
fine:
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  %result = phi i32 [ 0, %entry ], [ 0, %fine ], [ %status, %loop ]
  ret i32 %result
}

declare void @damo.narrow.f32.10(i64, i64, float, ptr, i64, i64, ptr, i64, float, ptr, i64)
declare void @damo.gemm.f32(i64, i64, i64, float, ptr, i64, i64, ptr, i64, i64, float, ptr, i64)


attributes #0 = { noinline nounwind "prefer-vector-width"="512" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" }
attributes #2 = { nounwind "prefer-vector-width"="512" }
