package damo.runtime;

import damo.program.HostValues;
import damo.program.Needs;
import damo.program.Program;
import damo.program.Step;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The shapes and attributes of the host steps of one frame for the dimensions of the moment, which
 * counted ones change within a call; those for the latest few are kept. Used by one thread at a
 * time.
 */
final class HostSizes {
    private static final int MOST = 8;

    /** The frame's table: addresses of the buffers, then dimensions. */
    private final MemorySegment words;
    private final int dimsAt;
    /** The dimensions that host steps mention, where they stand, and their values in the step. */
    private final List<String> names;
    private final int[] places;
    private final long[] dims;
    /** The latest first. */
    private final List<Known> known = new ArrayList<>();

    /** For calls of a program whose table that is. */
    HostSizes(Program program, MemorySegment words) {
        this.words = words;
        this.dimsAt = program.buffers().size();
        Set<String> mentioned = new HashSet<>();
        Needs.hosts(program).forEach(host -> mentioned.addAll(host.mentions()));
        this.names = program.names().stream().filter(mentioned::contains).toList();
        this.places = names.stream().mapToInt(program.names()::indexOf).toArray();
        this.dims = new long[names.size()];
    }

    /** What follows from some dimensions. */
    static final class Known {
        private final long[] dims;
        private final HostValues values;
        private final Map<Step.RunHost, Map<String, Object>> attributes = new IdentityHashMap<>();

        Known(List<String> names, long[] dims) {
            this.dims = dims;
            this.values = new HostValues(names, dims);
        }

        /** The shape of an argument. */
        long[] shape(Step.HostArg arg) {
            return values.shape(arg.shape());
        }

        /** Where an argument begins in its buffer, in elements. */
        long offset(Step.HostArg arg) {
            return values.size(arg.window().offset());
        }

        /** The attributes of a step, each time the same object. */
        Map<String, Object> attributes(Step.RunHost step) {
            return attributes.computeIfAbsent(step, values::attributes);
        }
    }

    /** For the dimensions as native code sees them at this moment. */
    Known now() {
        for (int d = 0; d < dims.length; d++) {
            dims[d] = words.getAtIndex(ValueLayout.JAVA_LONG, dimsAt + places[d]);
        }
        int place = 0;
        while (place < known.size() && !Arrays.equals(known.get(place).dims, dims)) {
            place++;
        }
        if (place == 0 && !known.isEmpty()) {
            return known.getFirst();
        }
        Known found = place < known.size() ? known.remove(place)
                : new Known(names, dims.clone());
        known.addFirst(found);
        if (known.size() > MOST) {
            known.removeLast();
        }
        return found;
    }
}
