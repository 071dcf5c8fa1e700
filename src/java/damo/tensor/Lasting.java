package damo.tensor;

/** Native memory that stays until the process ends. */
public final class Lasting {
    private Lasting() { }

    /**
     * The address of so many bytes, which hold whatever was there; from 1 MiB on in huge pages,
     * where the system has them. Throws kind {@code "out-of-memory"}, which tells the use.
     */
    public static long allocate(long bytes, String use) {
        long address = CLibrary.alloc(bytes);
        if (address == 0) {
            Budget.freeAll();
            address = CLibrary.alloc(bytes);
        }
        if (address == 0) {
            throw Budget.refusal(bytes, use, "the operating system refuses it");
        }
        return address;
    }
}
