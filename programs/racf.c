/* racf: profiles, key rings and certificates, in RACF's own command syntax. */
#include "programs/program.h"

int main(int argc, const char **argv)
{
    return program_racf("racf", "", argc, argv);
}
