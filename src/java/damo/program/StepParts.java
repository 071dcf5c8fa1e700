package damo.program;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * What steps of all kinds are made of: sizes, buffers of a dtype, factors. {@code bounds} refuses a
 * name that may not stand in a maximum, {@code dims} one that may not stand in a size.
 */
record StepParts(List<Program.Buffer> buffers, BiConsumer<String, Where> bounds,
                 BiConsumer<String, Where> dims) {
    /** The size at a key. */
    Size size(Fields f, String key, Where where) {
        return size(f.required(key), where);
    }

    /** A size. */
    Size size(Object form, Where where) {
        return Sizes.parse(form, n -> dims.accept(n, where), false, where);
    }

    /** A number, or element 0 of a buffer. */
    Step.Scale scale(Object form, String name, DType dtype, Where where) {
        if (form instanceof Number) {
            return new Step.Scale(dtype.floating() ? Literals.floating(dtype, form, where)
                    : whole(dtype, form, where), -1);
        }
        return new Step.Scale(0, buffer(new Fields(form, where, Set.of("buffer")), "buffer",
                ":" + name, dtype, where));
    }

    /** A whole number that a double holds. */
    private static double whole(DType dtype, Object form, Where where) {
        long n = Literals.integral(dtype, form, where);
        if ((long) (double) n != n || n == Long.MAX_VALUE) {
            throw where.bad("a factor of whole numbers is at most 2^53, found " + n);
        }
        return n;
    }

    /** The buffer, or with {@code :offset} and {@code :size} a window of it. */
    Window window(Fields f, Where where) {
        int id = f.id("buffer", buffers.size());
        if (f.optional("offset") == null && f.optional("size") == null) {
            return Window.of(id);
        }
        return new Window(id, size(f, "offset", where), size(f, "size", where));
    }

    /** Entries of {@code :counted}; a maximum mentions what is known there, and earlier entries. */
    List<Program.Counted> counted(List<?> forms, Where where) {
        List<Program.Counted> counted = new ArrayList<>();
        Set<String> earlier = new HashSet<>();
        for (Object form : forms) {
            Fields f = new Fields(form, where, Set.of("dim", "max", "same"));
            Size max = f.optional("max") == null ? null : Sizes.parse(f.optional("max"), n -> {
                if (!earlier.contains(n)) {
                    bounds.accept(n, where);
                }
            }, false, where);
            String dim = f.symbol("dim");
            if (!earlier.add(dim)) {
                throw where.bad("the dimension " + dim + " is listed twice in :counted");
            }
            counted.add(new Program.Counted(dim, max, f.flag("same")));
        }
        return List.copyOf(counted);
    }

    /** The dtype of the buffer at a key. */
    DType dtype(Fields f, String key) {
        return buffers.get(f.id(key, buffers.size())).dtype();
    }

    /** The buffer at a key, which must be of that dtype. */
    int buffer(Fields f, String key, String name, DType dtype, Where where) {
        int id = f.id(key, buffers.size());
        if (buffers.get(id).dtype() != dtype) {
            throw where.bad(name + ", buffer " + id + ", is of :" + buffers.get(id).dtype().label()
                    + ", expected :" + dtype.label());
        }
        return id;
    }
}
