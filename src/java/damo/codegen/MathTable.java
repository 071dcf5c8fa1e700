package damo.codegen;

import damo.DamoException;
import damo.Resources;
import damo.edn.Edn;
import damo.lib.Lazy;
import damo.program.Instructions;
import damo.program.Kernel;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The definitions of the files that resources/damo/math.edn lists, each read when first used: for
 * each math function and float dtype its arguments, named intermediate values and result, as
 * expressions of docs/program.md without loads. A bare number is a constant of the definition's
 * dtype.
 */
final class MathTable {
    private static final Lazy<List<Lazy<Map<?, ?>>>> FILES = new Lazy<>(() ->
            list(Edn.read(Resources.text("math.edn"))).stream().map(MathTable::file).toList());
    private static final Map<String, Definition> READ = new ConcurrentHashMap<>();
    private static final Map<String, Optional<Near>> READ_NEAR = new ConcurrentHashMap<>();

    private MathTable() { }

    /** One function for one dtype. */
    record Definition(List<String> args, List<Kernel.Let> lets, Kernel.Expr result) { }

    /**
     * What gives the same bits with less where the arguments are usual ones: {@code when}, an
     * expression of them, says which.
     */
    record Near(Kernel.Expr when, Definition definition) { }

    /** That of a function, or {@code null}. */
    static Near near(String op, DType t) {
        return READ_NEAR.computeIfAbsent(op + "." + t.label(), key -> {
            Map<?, ?> form = map(map(variants(op)).get(new Edn.Keyword(t.label())));
            Object near = form.get(new Edn.Keyword("near"));
            return Optional.ofNullable(near).map(n -> new Reader(t).near(form, map(n)));
        }).orElse(null);
    }

    /**
     * The definition, or {@code null}. Throws kind {@code "internal"} when the table is malformed.
     */
    static Definition get(String op, DType t) {
        String key = op + "." + t.label();
        Definition known = READ.get(key);
        if (known == null) {
            known = read(op, t);
            if (known != null) {
                READ.put(key, known);
            }
        }
        return known;
    }

    private static Definition read(String op, DType t) {
        try {
            Object variants = variants(op);
            Object form = variants == null ? null : map(variants).get(new Edn.Keyword(t.label()));
            return form == null ? null : new Reader(t).definition(map(form));
        } catch (ClassCastException | IllegalArgumentException | NullPointerException e) {
            throw bad(op + " for " + t.label() + ": " + e.getMessage());
        }
    }

    /** The entry of a function in the first file that has one, so that few files are read. */
    private static Object variants(String op) {
        Edn.Keyword key = new Edn.Keyword(op);
        return FILES.get().stream().map(file -> file.get().get(key)).filter(Objects::nonNull)
                .findFirst().orElse(null);
    }

    private static Lazy<Map<?, ?>> file(Object name) {
        return new Lazy<>(() -> map(Edn.read(Resources.text((String) name))));
    }

    /** Reads one definition; remembers the dtype of each name. */
    private static final class Reader {
        private final DType t;
        private final Map<String, DType> names = new HashMap<>();

        Reader(DType t) {
            this.t = t;
        }

        /** The definition with what is known of its names where the arguments are near. */
        Near near(Map<?, ?> form, Map<?, ?> near) {
            List<String> args = args(form);
            Kernel.Expr when = expr(near.get(new Edn.Keyword("when")));
            Map<Object, Object> known = new HashMap<>(map(near.get(new Edn.Keyword("known"))));
            return new Near(when, definition(args, form, known, near));
        }

        Definition definition(Map<?, ?> form) {
            return definition(args(form), form, Map.of(), form);
        }

        private List<String> args(Map<?, ?> form) {
            List<String> args = new ArrayList<>();
            for (Object arg : list(form.get(new Edn.Keyword("args")))) {
                args.add(symbol(arg));
                names.put(symbol(arg), t);
            }
            return args;
        }

        private Definition definition(List<String> args, Map<?, ?> form, Map<Object, Object> known,
                                      Map<?, ?> returning) {
            List<Kernel.Let> lets = new ArrayList<>();
            Object bindings = form.get(new Edn.Keyword("let"));
            List<?> pairs = bindings == null ? List.of() : list(bindings);
            for (int i = 0; i + 1 < pairs.size(); i += 2) {
                String name = symbol(pairs.get(i));
                Kernel.Expr value = expr(known.getOrDefault(pairs.get(i), pairs.get(i + 1)));
                names.put(name, value.dtype());
                lets.add(new Kernel.Let(name, value));
            }
            Kernel.Expr result = expr(returning.get(new Edn.Keyword("return")));
            if (result.dtype() != t) {
                throw new IllegalArgumentException("it returns :" + result.dtype().label());
            }
            return new Definition(List.copyOf(args), List.copyOf(lets), result);
        }

        private Kernel.Expr expr(Object form) {
            if (form instanceof Edn.Symbol s) {
                DType type = names.get(s.name());
                if (type == null) {
                    throw new IllegalArgumentException("unknown name " + s.name());
                }
                return new Kernel.Ref(s.name(), type);
            }
            if (form instanceof Number) {
                return constant(t, form);
            }
            if (form instanceof Boolean) {
                return constant(DType.BOOL, form);
            }
            List<?> parts = list(form);
            String head = keyword(parts.get(0));
            return switch (head) {
                case "const" -> constant(dtype(parts.get(1)), parts.get(2));
                case "cast" -> new Kernel.Cast(dtype(parts.get(1)), expr(parts.get(2)));
                default -> apply(head, parts.subList(1, parts.size()));
            };
        }

        private Kernel.Expr apply(String op, List<?> forms) {
            List<Kernel.Expr> args = new ArrayList<>();
            forms.forEach(form -> args.add(expr(form)));
            DType result = Instructions.result(op, args.stream().map(Kernel.Expr::dtype).toList());
            return new Kernel.Apply(op, List.copyOf(args), result);
        }

        private static Kernel.Const constant(DType type, Object value) {
            if (value instanceof Boolean b) {
                return new Kernel.Const(type, b ? 1 : 0);
            }
            Number n = (Number) value;
            return new Kernel.Const(type, type.floating()
                    ? Double.doubleToLongBits(n.doubleValue()) : n.longValue());
        }
    }

    private static Map<?, ?> map(Object form) {
        return (Map<?, ?>) form;
    }

    private static List<?> list(Object form) {
        return (List<?>) form;
    }

    private static String symbol(Object form) {
        return ((Edn.Symbol) form).name();
    }

    private static String keyword(Object form) {
        return ((Edn.Keyword) form).name();
    }

    private static DType dtype(Object form) {
        DType t = DType.of(keyword(form));
        if (t == null) {
            throw new IllegalArgumentException("unknown dtype " + form);
        }
        return t;
    }

    private static DamoException bad(String message) {
        return new DamoException("internal",
                "the table of math functions is malformed: " + message);
    }
}
