package damo.codegen;

/**
 * A block of memory for a part of a loop whose rounds need scratch, taken from those of its context
 * and given back: there are as many as threads. The part with the last round leaves in the
 * parameter itself what a single thread would.
 */
final class ScratchBlocks {
    private final Lines lines;
    private final String start;
    private final String last;
    private final String bit;
    private final String free;

    private ScratchBlocks(Lines lines, String start, String last, String bit, String free) {
        this.lines = lines;
        this.start = start;
        this.last = last;
        this.bit = bit;
        this.free = free;
    }

    /** Appends what takes a block. */
    static ScratchBlocks take(Lines lines) {
        String free = RangeContext.address(lines, "%context", RangeContext.FREE);
        String last = lines.value("icmp eq i64 %to, ", RangeContext.get(lines, "%context",
                RangeContext.ROUNDS, "i64"));
        String choose = lines.freshLabel("choose");
        String taken = lines.freshLabel("taken");
        lines.add("br label %", choose);
        lines.label(choose);
        String now = lines.value("load atomic i64, ptr ", free, " monotonic, align 8");
        String rest = lines.value("and i64 ", now, ", ", lines.value("sub i64 ", now, ", 1"));
        String pair = lines.value("cmpxchg ptr ", free, ", i64 ", now, ", i64 ", rest,
                " acquire monotonic, align 8");
        lines.add("br i1 ", lines.value("extractvalue { i64, i1 } ", pair, ", 1"), ", label %",
                taken, ", label %", choose);
        lines.label(taken);
        String number = lines.value("call i64 @llvm.cttz.i64(i64 ", now, ", i1 true)");
        String start = lines.value("getelementptr inbounds i8, ptr ", RangeContext.get(lines,
                "%context", RangeContext.BLOCKS, "ptr"), ", i64 ", lines.value("mul i64 ", number,
                ", ", RangeContext.get(lines, "%context", RangeContext.BLOCK, "i64")));
        return new ScratchBlocks(lines, start, last, lines.value("xor i64 ", now, ", ", rest),
                free);
    }

    /** Appends what chooses the memory at an offset of the block, or a parameter, "ptr %x". */
    String address(String offset, String param) {
        return lines.value("select i1 ", last, ", ", param, ", ptr ", lines.value(
                "getelementptr inbounds i8, ptr ", start, ", i64 ", offset));
    }

    /** Appends what gives it back. */
    void giveBack() {
        lines.value("atomicrmw or ptr ", free, ", i64 ", bit, " release, align 8");
    }
}
