package damo.program;

import damo.Limits;
import damo.edn.Edn;
import damo.tensor.DType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Reads one kernel: EDN in, {@link Kernel} out, with every static rule of docs/program.md checked.
 */
final class KernelReader {
    private static final int MAX_VARIABLES = Limits.VARIABLES.most();

    private static final Set<String> KEYS = Set.of("name", "params", "body");

    private final int notes;
    private final Set<String> turns;
    private final Map<String, ExprReader.Binding> names = new HashMap<>();
    private final Set<String> everBound = new HashSet<>();
    private final Deque<Integer> path = new ArrayDeque<>();
    private final Where where;
    private final String title;
    private ExprReader exprs;
    private List<Kernel.Param> memories;
    /** The bytes of local arrays. */
    private long local;
    /** Loop and index variables in scope: the analysis of an index may have to look at all. */
    private int variables;
    private int sorts;

    private KernelReader(int id, Object form, DimNames dims, int notes) {
        this.notes = notes;
        this.turns = dims.turns();
        String name = form instanceof Map<?, ?> m
                && m.get(new Edn.Keyword("name")) instanceof String s ? s : null;
        this.title = "kernel " + id + (name == null ? "" : " " + Edn.write(name));
        this.where = new Where(this::place);
        for (String dim : dims.all()) {
            // Rounds are no dimensions of most kernels, whose variables may be called as they are.
            if (!turns.contains(dim)) {
                everBound.add(dim);
            }
            names.put(dim, new ExprReader.Binding(ExprReader.Role.DIM, DType.I64));
        }
    }

    /** Kernel number {@code id} of a program with these dimensions and that many notes. */
    static Kernel read(int id, Object form, DimNames dims, int notes) {
        return new KernelReader(id, form, dims, notes).kernel(form);
    }

    private String place() {
        StringBuilder out = new StringBuilder(title);
        String gap = ", statement ";
        for (int n : path) {
            out.append(gap).append(n);
            gap = ".";
        }
        return out.toString();
    }

    private Kernel kernel(Object form) {
        Fields fields = new Fields(form, where, KEYS);
        List<Kernel.Param> params = new ArrayList<>();
        for (Object p : fields.list("params")) {
            params.add(param(p));
        }
        memories = new ArrayList<>(params);
        exprs = new ExprReader(memories, names, where);
        Kernel kernel = new Kernel(fields.string("name"), List.copyOf(params),
                body(fields.list("body")));
        everBound.retainAll(turns);
        everBound.retainAll(kernel.mentions());
        if (!everBound.isEmpty()) {
            throw where.bad("the names " + everBound + " are rounds of loops, and variables too");
        }
        return kernel;
    }

    private Kernel.Param param(Object form) {
        if (form instanceof List<?> pair && pair.size() == 2
                && pair.get(1) instanceof Edn.Keyword access) {
            for (Kernel.Access a : Kernel.Access.values()) {
                if (a.name().toLowerCase(Locale.ROOT).equals(access.name())) {
                    return new Kernel.Param(Fields.dtype(pair.get(0), where), a);
                }
            }
        }
        throw where.expected("a parameter [dtype access], access one of :in :out :inout", form);
    }

    /** The statements of a scope; what they bind is forgotten at its end. */
    private List<Kernel.Stmt> body(List<?> forms) {
        List<String> mine = new ArrayList<>();
        List<Kernel.Stmt> out = new ArrayList<>(forms.size());
        int n = 0;
        for (Object form : forms) {
            path.addLast(n++);
            out.add(statement(form, mine));
            path.removeLast();
        }
        forget(mine);
        return List.copyOf(out);
    }

    private void forget(List<String> mine) {
        for (String name : mine) {
            if (names.remove(name).role() == ExprReader.Role.INDEX) {
                variables--;
            }
        }
    }

    private Kernel.Stmt statement(Object form, List<String> mine) {
        if (!(form instanceof List<?> list) || list.isEmpty()
                || !(list.get(0) instanceof Edn.Keyword head)) {
            throw where.expected("a statement [:for …], [:let …], [:store …], …", form);
        }
        return switch (head.name()) {
            case "for" -> loop(list);
            case "let" -> let(list, mine);
            case "var" -> var(list, mine);
            case "local" -> local(list, mine);
            case "set" -> set(list);
            case "acc" -> acc(list);
            case "store" -> store(list);
            case "index" -> index(list, mine);
            case "require" -> require(list);
            case "sort" -> sort(list);
            case "if" -> {
                atLeast(list, 2);
                yield new Kernel.If(condition(list.get(1)), body(list.subList(2, list.size())));
            }
            default -> throw where.bad("no statement :" + head.name()
                    + "; there are :for :let :var :local :set :acc :store :index :require :if"
                    + " :sort");
        };
    }

    private Kernel.Stmt loop(List<?> list) {
        atLeast(list, 3);
        Size extent = exprs.index(list.get(2));
        List<String> mine = new ArrayList<>();
        String name = variable(list.get(1), mine);
        List<Kernel.Stmt> body = body(list.subList(3, list.size()));
        forget(mine);
        return new Kernel.For(name, extent, body);
    }

    private Kernel.Stmt let(List<?> list, List<String> mine) {
        exprs.parts(list, 3);
        Kernel.Expr value = exprs.expr(list.get(2));
        return new Kernel.Let(bind(list.get(1), ExprReader.Role.LET, value.dtype(), mine), value);
    }

    private Kernel.Stmt var(List<?> list, List<String> mine) {
        exprs.parts(list, 3);
        Kernel.Expr init = exprs.expr(list.get(2));
        return new Kernel.Var(bind(list.get(1), ExprReader.Role.VAR, init.dtype(), mine), init);
    }

    private Kernel.Stmt local(List<?> list, List<String> mine) {
        exprs.parts(list, 4);
        DType dtype = Fields.dtype(list.get(2), where);
        int most = Limits.LOCALS.most() / dtype.bytes();
        if (!(list.get(3) instanceof Long size && size > 0 && size <= most)
                || (local += size * dtype.bytes()) > Limits.LOCALS.most()) {
            throw where.expected("a number of elements, so that all local arrays have at most "
                    + Limits.LOCALS.most() + " bytes", list);
        }
        int param = memories.size();
        memories.add(new Kernel.Param(dtype, Kernel.Access.INOUT));
        String name = bind(list.get(1), new ExprReader.Binding(ExprReader.Role.LOCAL, dtype, param),
                mine);
        return new Kernel.Local(name, param, dtype, size.intValue());
    }

    private Kernel.Stmt set(List<?> list) {
        exprs.parts(list, 3);
        String name = symbol(list.get(1));
        String what = "the variable " + name;
        return new Kernel.Set(name, exprs.typed(list.get(2), mutable(name), what));
    }

    private Kernel.Stmt acc(List<?> list) {
        exprs.parts(list, 4);
        if (!(list.get(1) instanceof Edn.Keyword op) || !Instructions.reduces(op.name())) {
            throw where.expected("one of :add :mul :maximum :minimum :and :or after :acc",
                    list.get(1));
        }
        String name = symbol(list.get(2));
        DType dtype = mutable(name);
        exprs.result(op.name(), List.of(dtype, dtype));
        String what = "the variable " + name;
        return new Kernel.Acc(op.name(), name, exprs.typed(list.get(3), dtype, what));
    }

    private Kernel.Stmt store(List<?> list) {
        exprs.parts(list, 4);
        int p = exprs.param(list.get(1), Kernel.Access.OUT);
        Size index = exprs.index(list.get(2));
        DType dtype = exprs.paramDtype(p);
        return new Kernel.Store(p, index, exprs.typed(list.get(3), dtype.computed(),
                "parameter " + p));
    }

    private Kernel.Stmt sort(List<?> list) {
        exprs.parts(list, 5);
        int p = exprs.param(list.get(1), Kernel.Access.INOUT);
        int room = exprs.param(list.get(4), Kernel.Access.INOUT);
        DType dtype = exprs.paramDtype(p);
        if (p == room || dtype != exprs.paramDtype(room)
                || dtype != DType.I32 && dtype != DType.I64) {
            throw where.bad("a :sort takes two memories of one dtype, :i32 or :i64");
        }
        // No symbol has a blank in it.
        return new Kernel.Sort(dtype, p, exprs.index(list.get(2)), exprs.index(list.get(3)), room,
                "sorted " + sorts++);
    }

    private Kernel.Stmt index(List<?> list, List<String> mine) {
        exprs.parts(list, 5);
        Kernel.Expr value = exprs.typed(list.get(2), DType.I64, "the value of an :index");
        Size extent = exprs.index(list.get(3));
        int note = note(list.get(4));
        return new Kernel.Index(variable(list.get(1), mine), value, extent, note);
    }

    private Kernel.Stmt require(List<?> list) {
        atLeast(list, 3);
        if (list.size() > 5) {
            throw where.expected("at most two values after a :require's note", list);
        }
        List<Kernel.Expr> report = new ArrayList<>();
        for (Object value : list.subList(3, list.size())) {
            report.add(exprs.typed(value, DType.I64, "a value that a :require reports"));
        }
        return new Kernel.Require(condition(list.get(1)), note(list.get(2)), report);
    }

    private Kernel.Expr condition(Object form) {
        return exprs.typed(form, DType.BOOL, "a condition");
    }

    private int note(Object form) {
        return Fields.id(form, notes, "a note's position", where);
    }

    /** Binds a loop or index variable. */
    private String variable(Object form, List<String> mine) {
        if (++variables > MAX_VARIABLES) {
            throw where.bad("more than " + MAX_VARIABLES
                    + " loop and index variables around one statement");
        }
        return bind(form, ExprReader.Role.INDEX, DType.I64, mine);
    }

    private String bind(Object form, ExprReader.Role role, DType dtype, List<String> mine) {
        return bind(form, new ExprReader.Binding(role, dtype), mine);
    }

    private String bind(Object form, ExprReader.Binding binding, List<String> mine) {
        String name = symbol(form);
        if (!everBound.add(name)) {
            throw where.bad("the name " + name + " is bound twice");
        }
        names.put(name, binding);
        mine.add(name);
        return name;
    }

    private String symbol(Object form) {
        if (form instanceof Edn.Symbol s) {
            return s.name();
        }
        throw where.expected("a name (a symbol)", form);
    }

    private DType mutable(String name) {
        ExprReader.Binding b = names.get(name);
        if (b == null || b.role() != ExprReader.Role.VAR) {
            throw where.bad("there is no [:var " + name + " …] here to assign");
        }
        return b.dtype();
    }

    private void atLeast(List<?> list, int parts) {
        if (list.size() < parts) {
            throw where.expected((parts - 1) + " or more parts after " + Edn.brief(list.get(0)),
                    list);
        }
    }
}
