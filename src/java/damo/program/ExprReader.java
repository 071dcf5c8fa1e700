package damo.program;

import damo.DamoException;
import damo.edn.Edn;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Expressions of one kernel: EDN in, typed {@link Kernel.Expr} out, every name and dtype checked.
 */
final class ExprReader {
    /** What a name in a kernel stands for. */
    enum Role { DIM, INDEX, LET, VAR, LOCAL }

    /** A visible name; that of a local array has the number by which it is addressed. */
    record Binding(Role role, DType dtype, int param) {
        Binding(Role role, DType dtype) {
            this(role, dtype, -1);
        }
    }

    private final List<Kernel.Param> params;
    private final Map<String, Binding> names;
    private final Where where;

    /**
     * {@code names} holds what is visible, {@code params} the parameters and behind them the local
     * arrays; their owner changes both as scopes open and close.
     */
    ExprReader(List<Kernel.Param> params, Map<String, Binding> names, Where where) {
        this.params = params;
        this.names = names;
        this.where = where;
    }

    /** The expression that the EDN value stands for. */
    Kernel.Expr expr(Object form) {
        if (form instanceof Edn.Symbol s) {
            return ref(s.name());
        }
        if (!(form instanceof List<?> list) || list.isEmpty()
                || !(list.get(0) instanceof Edn.Keyword head)) {
            throw where.expected("an expression (a name, [:const dtype x], [:load p index], "
                    + "[:size index], [:cast dtype e], [:native \"op\" dtype e …] or "
                    + "[instruction e …])", form);
        }
        return switch (head.name()) {
            case "const" -> {
                parts(list, 3);
                yield Literals.constant(Fields.dtype(list.get(1), where), list.get(2), where);
            }
            case "load" -> {
                parts(list, 3);
                int param = param(list.get(1), Kernel.Access.IN);
                yield new Kernel.Load(param, index(list.get(2)),
                        paramDtype(param).computed());
            }
            case "size" -> {
                parts(list, 2);
                yield new Kernel.SizeOf(index(list.get(1)));
            }
            case "cast" -> {
                parts(list, 3);
                yield new Kernel.Cast(Fields.dtype(list.get(1), where), expr(list.get(2)));
            }
            case "native" -> foreign(list);
            default -> apply(head.name(), list);
        };
    }

    /** {@code [:native "op" dtype e …]}: a call of what is registered for the op. */
    private Kernel.Expr foreign(List<?> list) {
        if (list.size() < 4) {
            throw where.expected("[:native \"op\" dtype e …]", list);
        }
        List<Kernel.Expr> args = new ArrayList<>(list.size() - 3);
        for (Object form : list.subList(3, list.size())) {
            args.add(expr(form));
        }
        return new Kernel.Native(Fields.opName(list.get(1), where), List.copyOf(args),
                Fields.dtype(list.get(2), where));
    }

    /** The expression, which must have that dtype. */
    Kernel.Expr typed(Object form, DType dtype, String what) {
        Kernel.Expr e = expr(form);
        if (e.dtype() != dtype) {
            throw where.bad(what + " has dtype :" + dtype.label() + ", found :" + e.dtype().label()
                    + " in " + Edn.brief(form));
        }
        return e;
    }

    /** An index expression over dimensions, loop and index variables. */
    Size index(Object form) {
        return Sizes.parse(form, this::checkIndexName, true, where);
    }

    /**
     * The position of a parameter that may be used for reading (IN) or for writing (OUT), or the
     * number of the local array of that name.
     */
    int param(Object form, Kernel.Access use) {
        if (form instanceof Edn.Symbol s) {
            Binding b = bound(s.name());
            if (b.role != Role.LOCAL) {
                throw where.expected("a parameter's position or the name of a :local array", form);
            }
            return b.param;
        }
        int p = Fields.id(form, params.size(), "a parameter's position", where);
        Kernel.Access access = params.get(p).access();
        if (access != use && access != Kernel.Access.INOUT) {
            throw where.bad("parameter " + p + " is :" + access.name().toLowerCase(Locale.ROOT)
                    + ", so it is not " + (use == Kernel.Access.IN ? "read" : "written"));
        }
        return p;
    }

    /** The dtype of a parameter. */
    DType paramDtype(int param) {
        return params.get(param).dtype();
    }

    /** Refuses a form of another length. */
    void parts(List<?> list, int size) {
        if (list.size() != size) {
            throw where.expected((size - 1) + " parts after " + Edn.brief(list.get(0)), list);
        }
    }

    private Kernel.Expr ref(String name) {
        Binding b = bound(name);
        if (b.role == Role.LOCAL) {
            throw where.bad(name + " is an array; write [:load " + name + " index]");
        }
        if (b.role == Role.DIM) {
            throw where.bad("the dimension " + name + " is not a value; write [:size " + name
                    + "]");
        }
        return new Kernel.Ref(name, b.dtype);
    }

    private void checkIndexName(String name) {
        Role role = bound(name).role;
        if (role != Role.DIM && role != Role.INDEX) {
            throw where.bad(name + " is a value, which an index may not use; "
                    + "make it an index variable with [:index …]");
        }
    }

    private Binding bound(String name) {
        Binding b = names.get(name);
        if (b == null) {
            throw where.bad("the name " + name + " is not bound here");
        }
        return b;
    }

    private Kernel.Expr apply(String op, List<?> list) {
        List<Kernel.Expr> args = new ArrayList<>(list.size() - 1);
        List<DType> dtypes = new ArrayList<>(list.size() - 1);
        for (Object form : list.subList(1, list.size())) {
            Kernel.Expr arg = expr(form);
            args.add(arg);
            dtypes.add(arg.dtype());
        }
        return new Kernel.Apply(op, List.copyOf(args), result(op, dtypes));
    }

    /** {@link Instructions#result}, with the place in the message. */
    DType result(String op, List<DType> dtypes) {
        try {
            return Instructions.result(op, dtypes);
        } catch (DamoException e) {
            throw where.bad(e.getMessage());
        }
    }
}
