package damo.program;

import damo.edn.Edn;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Reads inputs, state and outputs, and checks that each buffer of such a kind belongs to exactly
 * one of them.
 */
final class PortReader {
    private final List<Program.Buffer> buffers;
    private final boolean[] owned;

    PortReader(List<Program.Buffer> buffers) {
        this.buffers = buffers;
        this.owned = new boolean[buffers.size()];
    }

    /** The ports of one kind, their names all different; {@code dims} refuses unfit dimensions. */
    List<Program.Port> read(List<?> forms, Program.Kind kind, BiConsumer<String, Where> dims) {
        Set<String> names = new HashSet<>();
        List<Program.Port> out = new ArrayList<>();
        for (Object form : forms) {
            String place = kind.name().toLowerCase(Locale.ROOT) + " " + out.size();
            Program.Port port = port(form, kind, dims, Where.of(place));
            if (!names.add(port.name())) {
                throw Where.of(place).bad("the name " + Edn.write(port.name()) + " is taken");
            }
            out.add(port);
        }
        return List.copyOf(out);
    }

    private Program.Port port(Object form, Program.Kind kind, BiConsumer<String, Where> dims,
            Where where) {
        Set<String> keys = kind == Program.Kind.STATE
                ? Set.of("name", "dtype", "shape", "buffer", "written")
                : Set.of("name", "dtype", "shape", "buffer");
        Fields f = new Fields(form, where, keys);
        List<Size> shape = new ArrayList<>();
        for (Object axis : f.list("shape")) {
            shape.add(Sizes.parse(axis, n -> dims.accept(n, where), false, where));
        }
        int id = f.id("buffer", buffers.size());
        Program.Buffer buffer = buffers.get(id);
        if (buffer.kind() != kind || buffer.dtype() != f.dtype("dtype")) {
            throw where.bad("buffer " + id + " is a :"
                    + buffer.kind().name().toLowerCase(Locale.ROOT) + " of :"
                    + buffer.dtype().label() + ", expected a :"
                    + kind.name().toLowerCase(Locale.ROOT) + " of :"
                    + f.dtype("dtype").label());
        }
        if (owned[id]) {
            throw where.bad("buffer " + id + " belongs to another port already");
        }
        owned[id] = true;
        return new Program.Port(f.string("name"), buffer.dtype(), List.copyOf(shape), id,
                f.flag("written"));
    }

    /** Refuses a buffer of a port's kind that no port has claimed. */
    void checkAllOwned() {
        for (int id = 0; id < owned.length; id++) {
            Program.Kind kind = buffers.get(id).kind();
            if (!owned[id] && kind != Program.Kind.CONST && kind != Program.Kind.TEMP) {
                throw Where.of("buffer " + id).bad("no " + kind.name().toLowerCase(Locale.ROOT)
                        + " has it");
            }
        }
    }
}
