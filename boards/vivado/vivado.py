"""Vivado scripts: the packed part in a block design with a Zynq's processors and a DMA.

Vivado is not among the tools of this project's tests, so these scripts have not been run by them.
"""

DMA, ACCELERATOR = "axi_dma_0", "rowforge_0"  # the names that the driver looks for
BITSTREAM = "design"  # .bit and .hwh, which PYNQ loads together


def block_design(*, part: str, vlnv: str, clock_hz: float, board_parts: str = "*pynq-z2*") -> str:
    """A script that makes project, block design and bitstream in the folder it runs in.

    Parameters
    ----------
    part : str
        The device.
    vlnv : str
        Vendor, library, name and version of the packed part, which is in the folder `ip`.
    clock_hz : float
        Of the fabric, from the processors' clock generator.
    board_parts : str
        Pattern of the board's own files, used where they are installed.
    """
    return f"""\
# Makes {BITSTREAM}.bit and {BITSTREAM}.hwh:  vivado -mode batch -source vivado.tcl
set here [file dirname [file normalize [info script]]]
create_project -force rowforge $here/project -part {part}
set boards [get_board_parts -quiet {board_parts}]
if {{[llength $boards]}} {{ set_property board_part [lindex $boards 0] [current_project] }}
set_property ip_repo_paths $here/ip [current_project]
update_ip_catalog
ipx::check_integrity -quiet [ipx::open_core $here/ip/component.xml]

create_bd_design {BITSTREAM}
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 processing_system7_0]
set preset [expr {{[llength $boards] > 0}}]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
  -config [list make_external "FIXED_IO, DDR" apply_board_preset $preset] $ps
set_property -dict [list \\
  CONFIG.PCW_USE_M_AXI_GP0 1 \\
  CONFIG.PCW_USE_S_AXI_HP0 1 \\
  CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \\
  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {clock_hz / 1e6:g}] $ps

# Without scatter-gather: the driver starts each transfer itself, 8 KiB at most.
set dma [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma {DMA}]
set_property -dict [list \\
  CONFIG.c_include_sg 0 \\
  CONFIG.c_sg_length_width 14 \\
  CONFIG.c_m_axi_mm2s_data_width 64 \\
  CONFIG.c_m_axis_mm2s_tdata_width 64 \\
  CONFIG.c_m_axi_s2mm_data_width 64 \\
  CONFIG.c_s_axis_s2mm_tdata_width 64] $dma
create_bd_cell -type ip -vlnv {vlnv} {ACCELERATOR}

connect_bd_intf_net [get_bd_intf_pins {DMA}/M_AXIS_MM2S] [get_bd_intf_pins {ACCELERATOR}/S_AXIS]
connect_bd_intf_net [get_bd_intf_pins {ACCELERATOR}/M_AXIS] [get_bd_intf_pins {DMA}/S_AXIS_S2MM]
foreach slave {{{DMA}/S_AXI_LITE {ACCELERATOR}/S_AXI}} {{
  apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
    -config {{Master "/processing_system7_0/M_AXI_GP0" Clk "Auto"}} [get_bd_intf_pins $slave]
}}
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Master "/{DMA}/M_AXI_MM2S" Clk "Auto"}} \\
  [get_bd_intf_pins processing_system7_0/S_AXI_HP0]
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Slave "/processing_system7_0/S_AXI_HP0" Clk "Auto"}} [get_bd_intf_pins {DMA}/M_AXI_S2MM]
assign_bd_address
validate_bd_design
save_bd_design

set wrapper [make_wrapper -files [get_files {BITSTREAM}.bd] -top]
add_files -norecurse $wrapper
set_property top {BITSTREAM}_wrapper [current_fileset]
launch_runs impl_1 -to_step write_bitstream -jobs 2
wait_on_run impl_1
open_run impl_1
report_utilization -file $here/utilization.txt
report_timing_summary -file $here/timing.txt
set slack [get_property SLACK [get_timing_paths -max_paths 1]]
file copy -force $here/project/rowforge.runs/impl_1/{BITSTREAM}_wrapper.bit $here/{BITSTREAM}.bit
set handoff sources_1/bd/{BITSTREAM}/hw_handoff/{BITSTREAM}.hwh
foreach hwh [glob -nocomplain $here/project/rowforge.{{srcs,gen}}/$handoff] {{
  file copy -force $hwh $here/{BITSTREAM}.hwh
}}
if {{$slack < 0}} {{ error "timing is not met: slack $slack ns at {clock_hz / 1e6:g} MHz" }}
"""
