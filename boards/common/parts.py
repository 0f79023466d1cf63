"""What the parts hold."""

from boards.common.board import Budget

ECP5_25F = Budget(lut=24_288, ff=24_288, dsp=28, block_ram=56, block_ram_bits=18_432)
ECP5_45F = Budget(lut=43_848, ff=43_848, dsp=72, block_ram=108, block_ram_bits=18_432)
ECP5_85F = Budget(lut=83_640, ff=83_640, dsp=156, block_ram=208, block_ram_bits=18_432)
GW2AR_18 = Budget(lut=20_736, ff=15_552, dsp=48, block_ram=46, block_ram_bits=18_432)
UP5K = Budget(lut=5_280, ff=5_280, dsp=8, block_ram=30, block_ram_bits=4_096)
XC7A100T = Budget(lut=63_400, ff=126_800, dsp=240, block_ram=135, block_ram_bits=36_864)
XC7Z020 = Budget(lut=53_200, ff=106_400, dsp=220, block_ram=140, block_ram_bits=36_864)
