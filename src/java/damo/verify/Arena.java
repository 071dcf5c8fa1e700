package damo.verify;

import damo.program.Program;
import java.util.Arrays;
import java.util.Comparator;

/**
 * Lays the temporaries of a call out in one run of memory. Two of them share bytes only if no step
 * lies in both lifetimes, which {@link Lifetimes} tells.
 */
public final class Arena {
    /**
     * Every offset is a multiple of this many bytes: a cache line, and the widest vector register.
     */
    public static final int ALIGNMENT = 64;

    private final long[] offsets;
    private long total;

    private final Lifetimes lives;
    private final long[] room;
    private final int[] placed;
    private int count;

    private Arena(Lifetimes lives, Program p, long[] bytes) {
        int n = bytes.length;
        offsets = new long[n];
        this.lives = lives;
        room = new long[n];
        placed = new int[n];
        Arrays.fill(offsets, -1);
        int[] temps = new int[n];
        int k = 0;
        for (int id = 0; id < n; id++) {
            if (p.buffers().get(id).kind() == Program.Kind.TEMP) {
                room[id] = Math.addExact(bytes[id], ALIGNMENT - 1) & -ALIGNMENT;
                temps[k++] = id;
            }
        }
        for (int id : bySize(temps, k)) {
            place(id);
        }
    }

    /**
     * The layout for buffers of these sizes; {@code coverage} is null for a program that is trusted
     * to write what it reads. Throws ArithmeticException when the total overflows 64 bits.
     */
    static Arena layOut(Program p, long[] bytes, Coverage coverage) {
        return new Arena(coverage == null ? Lifetimes.of(p) : Lifetimes.of(p, coverage::whole), p,
                bytes);
    }

    /** The offset in bytes of each temporary; -1 for other buffers. */
    long[] offsets() {
        return offsets;
    }

    /** The size of the arena in bytes. */
    long total() {
        return total;
    }

    /** Largest first, then by id, so that the layout is the same for equal programs. */
    private int[] bySize(int[] ids, int n) {
        return Arrays.stream(ids, 0, n).boxed()
                .sorted(Comparator.comparingLong((Integer id) -> -room[id])
                        .thenComparing(Comparator.naturalOrder()))
                .mapToInt(Integer::intValue).toArray();
    }

    /** Puts a buffer into the smallest gap that fits between those alive with it, or after them. */
    private void place(int id) {
        long end = 0;
        long best = -1;
        long bestGap = Long.MAX_VALUE;
        for (int i = 0; i < count; i++) {
            int other = placed[i];
            if (lives.first(other) > lives.last(id) || lives.last(other) < lives.first(id)) {
                continue;
            }
            long gap = offsets[other] - end;
            if (gap >= room[id] && gap < bestGap) {
                best = end;
                bestGap = gap;
            }
            end = Math.max(end, offsets[other] + room[other]);
        }
        offsets[id] = best >= 0 ? best : end;
        total = Math.max(total, Math.addExact(offsets[id], room[id]));
        int at = count++;
        while (at > 0 && offsets[placed[at - 1]] > offsets[id]) {
            placed[at] = placed[at - 1];
            at--;
        }
        placed[at] = id;
    }
}
