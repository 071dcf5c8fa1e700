package damo.runtime;

/**
 * What an application gives for an op that a program does not compute itself: a {@link HostKernel},
 * code on the JVM that takes whole arrays, or a {@link NativeFunction} of scalars, which compiled
 * loops call for each element.
 */
public sealed interface OpKernel permits HostKernel, NativeFunction { }
