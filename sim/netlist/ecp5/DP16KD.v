// DP16KD of the ECP5: 18 kbit, written through port A and read through port B, without output
// registers, both ports of one width.
//
// Width 36 is the pseudo dual-port form: DIB carries data 35:18 and DIA 17:0, DOB returns 35:18 and
// DOA 17:0, ADA[13:5] and ADB[13:5] are the addresses, and ADA[3:0] enable the bytes of nine bits.
// Width 18 has byte enables in ADA[1:0] and addresses from bit 4 on; 9, 4, 2 and 1 have none and
// addresses from bit 3, 2, 1 and 0 on.
//
// What Lattice leaves undefined is random here: contents before the first write (zero initial values
// are no promise to the design), and a read of a word that is written at the same edge.
// Everything else is refused: another parameter does not elaborate, and a write through port B, a
// reset, or a chip select ends the simulation.
module DP16KD(
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
  input DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
  output DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
  input DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
  output DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter INIT_DATA = "STATIC";
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0;
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0;
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0;
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0;
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0;
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0;
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0;
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0;
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0;
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0;
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

  localparam WIDTH = DATA_WIDTH_A;
  localparam LOW = WIDTH == 36 ? 5 : WIDTH == 18 ? 4 : WIDTH == 9 ? 3 : WIDTH == 4 ? 2
                 : WIDTH == 2 ? 1 : 0;  // address bits below the word's
  localparam BYTES = WIDTH == 36 ? 4 : WIDTH == 18 ? 2 : 1;
  localparam BYTE = WIDTH / BYTES;

  generate
    if (DATA_WIDTH_B != DATA_WIDTH_A || REGMODE_A != "NOREG" || REGMODE_B != "NOREG" ||
        CSDECODE_A != "0b000" || CSDECODE_B != "0b000" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB" ||
        WRITEMODE_A != "NORMAL" || WRITEMODE_B != "NORMAL" || (WIDTH != 36 && WIDTH != 18 &&
        WIDTH != 9 && WIDTH != 4 && WIDTH != 2 && WIDTH != 1))
      DP16KD_is_modelled_for_equal_widths_without_output_registers refused ();
    if ((INITVAL_00 | INITVAL_01 | INITVAL_02 | INITVAL_03 | INITVAL_04 | INITVAL_05 |
         INITVAL_06 | INITVAL_07 | INITVAL_08 | INITVAL_09 | INITVAL_0A | INITVAL_0B |
         INITVAL_0C | INITVAL_0D | INITVAL_0E | INITVAL_0F | INITVAL_10 | INITVAL_11 |
         INITVAL_12 | INITVAL_13 | INITVAL_14 | INITVAL_15 | INITVAL_16 | INITVAL_17 |
         INITVAL_18 | INITVAL_19 | INITVAL_1A | INITVAL_1B | INITVAL_1C | INITVAL_1D |
         INITVAL_1E | INITVAL_1F | INITVAL_20 | INITVAL_21 | INITVAL_22 | INITVAL_23 |
         INITVAL_24 | INITVAL_25 | INITVAL_26 | INITVAL_27 | INITVAL_28 | INITVAL_29 |
         INITVAL_2A | INITVAL_2B | INITVAL_2C | INITVAL_2D | INITVAL_2E | INITVAL_2F |
         INITVAL_30 | INITVAL_31 | INITVAL_32 | INITVAL_33 | INITVAL_34 | INITVAL_35 |
         INITVAL_36 | INITVAL_37 | INITVAL_38 | INITVAL_39 | INITVAL_3A | INITVAL_3B |
         INITVAL_3C | INITVAL_3D | INITVAL_3E | INITVAL_3F) != 0)
      DP16KD_is_modelled_without_initial_contents refused_contents ();
  endgenerate

  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
                     ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
                     ADB1, ADB0};
  wire [35:0] di = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                    DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
                    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                    DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] write_row = ada >> LOW;
  wire [13:0] read_row = adb >> LOW;
  wire [3:0] bytes = BYTES == 1 ? 4'd1 : ada[3:0] & ((1 << BYTES) - 1);
  wire writing = CEA & WEA & (bytes != 0);

  reg [WIDTH-1:0] mem [0:(16384 >> LOW)-1];
  reg [35:0] read;
  reg [35:0] noise;
  integer row, i;

  initial begin
    for (row = 0; row < (16384 >> LOW); row = row + 1) mem[row] = {$random, $random};
    read = {$random, $random};
  end

  always @(posedge CLKA)
    if (writing)
      for (i = 0; i < BYTES; i = i + 1)
        if (bytes[i]) mem[write_row][BYTE*i +: BYTE] <= di[BYTE*i +: BYTE];

  always @(posedge CLKB)
    if (CEB) begin
      if (writing && write_row == read_row) read <= {$random, $random};
      else read <= {{36-WIDTH{1'b0}}, mem[read_row]};
    end

  always @(posedge CLKA) noise <= {$random, $random};  // port A's outputs where it does not read

  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
         WIDTH == 36 ? read[35:18] : read[17:0];
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
         WIDTH == 36 ? read[17:0] : noise[17:0];

  always @(posedge CLKA)
    if (WEB === 1'b1 || RSTA === 1'b1 || RSTB === 1'b1 || (CEB && (CSB2 | CSB1 | CSB0) === 1'b1) ||
        (writing && (CSA2 | CSA1 | CSA0) === 1'b1)) begin
      $display("DP16KD: writes through port B, resets and chip selects are not modelled");
      $fatal(1);
    end
endmodule
