/* The commands of iosdrive: options (popt) to the functions of this folder, outcomes to exit codes. */
#ifndef IOS_COMMAND_H
#define IOS_COMMAND_H

/* Carry out "iosdrive COMMAND ..." with the arguments of main. Answers go to standard output, messages to standard error. Returns the exit
 * code: 0 done, 1 failed, 2 given wrongly. */
int ios_command(int argc, const char **argv);

#endif
