/**
 * From a checked program to LLVM IR text (version 20, opaque pointers): pure functions of data.
 *
 * <p>Memory: nothing native is touched here. Threads: every call works on its own writers; the
 * tables read from resources are immutable. The text of a program is the same on every run, so that
 * golden files can hold it; library functions are declared by name and bound to addresses by {@code
 * damo.jit}.
 */
package damo.codegen;
