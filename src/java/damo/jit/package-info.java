/**
 * From LLVM IR text to machine code in this process, through LLVM's C interface and {@code
 * java.lang.foreign}.
 *
 * <p>Memory: every LLVM object made during a compilation is disposed of before it returns; what
 * stays is the machine code and its linker, owned by one {@link damo.jit.NativeCode} and freed by
 * its {@code close}. Threads: compilations share nothing but the loaded library and may run at the
 * same time; code may be called from any number of threads, but not after it was closed. Functions
 * that programs share (matrix products) are compiled once and stay until the process ends. Objects
 * that were compiled are kept by what they were made from, in memory and in files that other
 * processes find: {@link damo.jit.CodeCache}.
 */
package damo.jit;
