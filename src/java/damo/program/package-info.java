/**
 * Programs as data, and their reader, which makes the static checks. docs/program.md is the
 * contract.
 *
 * <p>Memory: everything here is plain Java data; nothing is allocated off-heap and no native code
 * is called. Threads: every public value is immutable after construction and may be shared; every
 * public method is a pure function of its arguments.
 *
 * <p>A program is not trusted. Nothing that it says may exhaust the stack or make a check run for
 * ever: nesting, the size of one index expression and the number of dimensions are capped.
 */
package damo.program;
