"""yosys commands for designs that nearly fill their part: they save cells rather than time."""

# A carry cell takes no other function in, so that short sums are cheaper as plain logic.
SHORT_SUMS = "techmap -map +/techmap.v t:$alu r:Y_WIDTH<=12 %i; opt -fast -full"
_PASS = "strash;dch,-f;if,-a;mfs2,-a;"
AREA = f"abc -dress -lut 4 -script +{_PASS}{_PASS}lutpack,-S,1; clean"
