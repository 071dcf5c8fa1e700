package damo.program;

import java.util.List;

/**
 * Runs one of several lists of steps.
 *
 * @param test    a buffer whose element 0, an i64, is the number of the list
 * @param cases   the lists
 * @param counted the dimensions that their steps count, each list some of them
 * @param note    what the branch is, for the message when there is no such list
 */
public record Branch(int test, List<List<Step>> cases, List<Program.Counted> counted, int note)
        implements Step {
    @Override
    public String text() {
        return "branch  " + cases.size() + " cases";
    }

    @Override
    public List<Access> accesses() {
        return List.of(new Access(":test", test, Access.Mode.READ, Access.Region.ELEMENT));
    }

    @Override
    public List<List<Step>> lists() {
        return cases;
    }

    @Override
    public List<Size> sizes() {
        return counted.stream().map(Program.Counted::max).filter(size -> size != null).toList();
    }

    @Override
    public List<Program.Counted> counts() {
        return counted;
    }

    @Override
    public boolean fails() {
        return true;
    }
}
