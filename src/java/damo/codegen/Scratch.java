package damo.codegen;

import java.util.List;

/**
 * The function that gives memory for the time of a product, {@code ptr @damo.scratch(ptr)}: given
 * null, a block of {@link #BYTES} bytes, aligned to a page; given a block, it takes it back, for
 * the next who asks. Free blocks stand in a table whose places are taken by one exchange each.
 *
 * <p>It never fails. One block is there before the function is, so where the system has no memory
 * for another one the caller waits until one is given back. So that none waits for ever, who has a
 * block asks for no other, and waits for nobody, before it is given back.
 */
public final class Scratch {
    /** The size of a block. */
    public static final int BYTES = 1 << 22;
    /** The symbol of the block that is there from the beginning, of {@link Parallel#PROCESS}. */
    public static final String FIRST = "damo.scratch.first";

    private static final String NAME = "damo.scratch";
    private static final String LIBC = "libc.so.6";
    private static final int PLACES = 64;
    private static final String TEXT = """
            @damo.scratch.first = external global i8
            @damo.scratch.free = internal global [64 x ptr] [ptr @damo.scratch.first{none}]

            define ptr @damo.scratch(ptr %block) #2 {
            entry:
              %asks = icmp eq ptr %block, null
              br i1 %asks, label %look, label %give

            look:
              %i = phi i64 [ 0, %entry ], [ %i.next, %empty ], [ 0, %wait ]
              %place = getelementptr inbounds ptr, ptr @damo.scratch.free, i64 %i
              %seen = load atomic ptr, ptr %place monotonic, align 8
              %none = icmp eq ptr %seen, null
              br i1 %none, label %empty, label %take

            take:
              %taken = atomicrmw xchg ptr %place, ptr null acq_rel
              %lost = icmp eq ptr %taken, null
              br i1 %lost, label %empty, label %taken.it

            taken.it:
              ret ptr %taken

            empty:
              %i.next = add nuw nsw i64 %i, 1
              %more = icmp ult i64 %i.next, 64
              br i1 %more, label %look, label %fresh

            fresh:
              ; Huge pages, where the system has them: advice 14 of Linux.
              %new = call ptr @aligned_alloc(i64 2097152, i64 {bytes})
              %refused = icmp eq ptr %new, null
              br i1 %refused, label %wait, label %made

            wait:
              call i32 @sched_yield()
              br label %look

            made:
              call i32 @madvise(ptr %new, i64 {bytes}, i32 14)
              ret ptr %new

            give:
              %j = phi i64 [ 0, %entry ], [ %j.next, %full ]
              %spot = getelementptr inbounds ptr, ptr @damo.scratch.free, i64 %j
              %other = load atomic ptr, ptr %spot monotonic, align 8
              %holds = icmp ne ptr %other, null
              br i1 %holds, label %full, label %put

            put:
              %pair = cmpxchg ptr %spot, ptr null, ptr %block acq_rel monotonic
              %done = extractvalue { ptr, i1 } %pair, 1
              br i1 %done, label %given, label %full

            full:
              %j.next = add nuw nsw i64 %j, 1
              %room = icmp ult i64 %j.next, 64
              br i1 %room, label %give, label %release

            release:
              call void @free(ptr %block)
              br label %given

            given:
              ret ptr null
            }

            """;

    private Scratch() { }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, int vectorBits) {
        outside.share(NAME, "ptr @" + NAME + "(ptr)", () -> {
            Outside called = new Outside();
            called.call(LIBC, "aligned_alloc", "ptr @aligned_alloc(i64, i64)");
            called.call(LIBC, "free", "void @free(ptr)");
            called.call(LIBC, "madvise", "i32 @madvise(ptr, i64, i32)");
            called.call(LIBC, "sched_yield", "i32 @sched_yield()");
            called.call(Parallel.PROCESS, FIRST);
            String text = TEXT.replace("{bytes}", Integer.toString(BYTES))
                    .replace("{none}", ", ptr null".repeat(PLACES - 1)) + called.declarations()
                    + Attributes.text(vectorBits);
            return new LlvmModule(List.of(new LlvmModule.Text(text, LlvmModule.Kind.STEPS)),
                    called.externals(), called.shared());
        });
        return "@" + NAME;
    }
}
