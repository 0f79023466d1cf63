// An SDR SDRAM as its data sheet describes it, for simulation: it stores data and counts every breach
// of its rules. Times are picoseconds, kept by counting edges of its own clock.
//
// Data pins are two buses, since a simulator without delays needs no third state: `dq_in` with
// `dq_driven` from the controller, `dq_out` to it. While the chip drives nothing, `dq_out` is noise.
module sdram_chip #(
    parameter WIDTH = 16,
    parameter ROW_BITS = 13,
    parameter COLUMN_BITS = 9,
    parameter BANK_BITS = 2,
    parameter PERIOD = 20000,
    parameter T_RCD = 20000,
    parameter T_RP = 20000,
    parameter T_RAS = 45000,
    parameter T_RC = 66000,
    parameter T_RRD = 15000,
    parameter T_RFC = 66000,
    parameter T_WR = 15000,
    parameter T_WR_CYCLES = 2,
    parameter T_MRD_CYCLES = 2,
    parameter REFRESHES = 8192,          // commands that refresh every row once
    parameter INTERVAL = 7812500,        // of refreshes on average
    parameter MOST_LATE = 10,            // refreshes that may be outstanding
    parameter POWER_UP_CYCLES = 10000,   // without a command at the start
    parameter INITIAL_REFRESHES = 8
) (
    input wire clk,
    input wire off,                      // no power: the next command is the first one
    input wire [2:0] command,            // RAS#, CAS#, WE#
    input wire [BANK_BITS-1:0] bank,
    input wire [ROW_BITS-1:0] address,
    input wire mask,                     // of all byte lanes
    input wire [WIDTH-1:0] dq_in,
    input wire dq_driven,
    output reg [WIDTH-1:0] dq_out,
    output reg [31:0] violations,        // how many
    output reg [31:0] kinds,             // a bit for each kind that has occurred
    output reg [31:0] activates,         // commands since the start
    output reg [31:0] refreshes,
    output reg initialised
);
    localparam MODE = 3'b000, REFRESH = 3'b001, PRECHARGE = 3'b010, ACTIVATE = 3'b011;
    localparam WRITE = 3'b100, READ = 3'b101, NOP = 3'b111;
    localparam BANKS = 1 << BANK_BITS;
    // Signed whatever the parameters are.
    localparam signed [63:0] OWED = INTERVAL;
    localparam signed [63:0] MOST_OWED = OWED * MOST_LATE;
    localparam signed [63:0] LEAST_OWED = -(OWED * 8);
    localparam signed [63:0] STEP = PERIOD;
    // Kinds of breaches, bits of `kinds`.
    localparam BAD_POWER_UP = 0, BAD_INIT = 1, BAD_RCD = 2, BAD_RP = 3, BAD_RAS = 4, BAD_RC = 5;
    localparam BAD_RRD = 6, BAD_RFC = 7, BAD_WR = 8, BAD_MRD = 9, BAD_OPEN = 10, BAD_CLOSED = 11;
    localparam BAD_BURST = 12, BAD_MODE = 13, BAD_COMMAND = 14, BAD_DRIVEN = 15, BAD_CONTENTION = 16;
    localparam BAD_LATE = 17, BAD_RETENTION = 18, BAD_MASK = 19;

    // Words of 64 bits, since a simulator fills an array of fewer and longer elements sooner.
    localparam LANE_BITS = WIDTH == 32 ? 1 : 2;
    reg [63:0] cells [0:(1 << (BANK_BITS + ROW_BITS + COLUMN_BITS - LANE_BITS)) - 1];
    reg [63:0] row_refreshed [0:REFRESHES-1];

    reg [63:0] now, cycle;
    reg [BANKS-1:0] opened;
    reg [ROW_BITS-1:0] row [0:BANKS-1];
    reg [63:0] activated [0:BANKS-1], closed [0:BANKS-1], written [0:BANKS-1];
    reg [63:0] written_cycle [0:BANKS-1];
    reg [63:0] last_activated, refreshed, mode_cycle;
    reg [BANK_BITS-1:0] last_bank;
    reg closed_all, mode_set;
    reg signed [63:0] debt;              // picoseconds of refreshes outstanding
    // the burst under way
    reg bursting, burst_writes;
    reg [3:0] burst_beat, burst_length;
    reg [BANK_BITS-1:0] burst_bank;
    reg [ROW_BITS-1:0] burst_row;
    reg [COLUMN_BITS-1:0] burst_column;
    reg [2:0] latency;
    // data on the way out: stage 0 is next to the pins
    reg [WIDTH-1:0] pipe [0:2];
    reg [2:0] pipe_valid;
    // whether data are on the pins until the next edge, until this one, until the one before it
    reg driving, drove, drove_before;
    reg masked_1, masked_2;
    reg [31:0] noise;

    reg [COLUMN_BITS-1:0] place_column;
    reg [BANK_BITS+ROW_BITS+COLUMN_BITS-LANE_BITS-1:0] place;
    reg [LANE_BITS-1:0] lane;
    reg column_command;
    integer i;

    task breach(input integer kind);
        begin
            violations = violations + 1;
            kinds[kind] = 1'b1;
        end
    endtask

    // What holds for a bank that is to be closed.
    task check_close(input [BANK_BITS-1:0] which);
        begin
            if (opened[which]) begin
                if (now - activated[which] < T_RAS) breach(BAD_RAS);
                if (now - written[which] < T_WR) breach(BAD_WR);
                if (cycle - written_cycle[which] < T_WR_CYCLES) breach(BAD_WR);
                if (bursting && burst_bank == which) breach(BAD_BURST);
                closed[which] = now;
            end
            opened[which] = 1'b0;
        end
    endtask

    initial begin
        now = 64'd1 << 40;               // everything before is long ago
        cycle = 64'd1 << 32;
        opened = 0;
        for (i = 0; i < BANKS; i = i + 1) begin
            activated[i] = 0; closed[i] = 0; written[i] = 0; written_cycle[i] = 0; row[i] = 0;
        end
        last_activated = 0; refreshed = 0; mode_cycle = 0; last_bank = 0;
        closed_all = 0; mode_set = 0; debt = 0;
        bursting = 0; burst_writes = 0; burst_beat = 0; burst_length = 1;
        burst_bank = 0; burst_row = 0; burst_column = 0; latency = 2;
        pipe_valid = 0; driving = 0; drove = 0; drove_before = 0; masked_1 = 0; masked_2 = 0;
        noise = 32'h1234567;
        violations = 0; kinds = 0; activates = 0; refreshes = 0; initialised = 0;
        dq_out = 0;
    end

    always @(posedge clk) begin
        now = now + PERIOD;
        cycle = cycle + 1;
        if (off) begin
            cycle = 64'd1 << 32;
            mode_cycle = 0;
            for (i = 0; i < BANKS; i = i + 1) written_cycle[i] = 0;
            opened = 0;
            closed_all = 0; mode_set = 0; refreshes = 0; debt = 0;
            bursting = 0; pipe_valid = 0; driving = 0;
        end

        // ---- commands ----
        if (command != NOP) begin
            if (cycle - (64'd1 << 32) <= POWER_UP_CYCLES) breach(BAD_POWER_UP);
            if (now - refreshed < T_RFC) breach(BAD_RFC);
            if (cycle - mode_cycle < T_MRD_CYCLES) breach(BAD_MRD);
        end
        initialised = closed_all && mode_set && refreshes >= INITIAL_REFRESHES;
        column_command = command == READ || command == WRITE;
        if ((column_command || command == ACTIVATE) && !initialised) breach(BAD_INIT);

        if (bursting) begin
            burst_beat = burst_beat + 1;
            if (burst_beat == burst_length) bursting = 0;
        end

        case (command)
            NOP: ;
            ACTIVATE: begin
                if (opened[bank]) breach(BAD_OPEN);
                if (now - closed[bank] < T_RP) breach(BAD_RP);
                if (now - activated[bank] < T_RC) breach(BAD_RC);
                if (bank != last_bank && now - last_activated < T_RRD) breach(BAD_RRD);
                opened[bank] = 1'b1;
                row[bank] = address;
                activated[bank] = now;
                last_activated = now;
                last_bank = bank;
                activates = activates + 1;
            end
            READ, WRITE: begin
                if (!opened[bank]) breach(BAD_CLOSED);
                if (now - activated[bank] < T_RCD) breach(BAD_RCD);
                if (bursting) breach(BAD_BURST);
                if (address[10]) breach(BAD_COMMAND);  // precharge of its own
                bursting = 1'b1;
                burst_writes = command == WRITE;
                burst_beat = 0;
                burst_bank = bank;
                burst_row = row[bank];
                burst_column = address[COLUMN_BITS-1:0];
            end
            PRECHARGE:
                if (address[10]) begin
                    for (i = 0; i < BANKS; i = i + 1) check_close(i[BANK_BITS-1:0]);
                    closed_all = 1'b1;
                end else check_close(bank);
            REFRESH: begin
                if (opened != 0) breach(BAD_OPEN);
                if (!closed_all) breach(BAD_INIT);
                for (i = 0; i < BANKS; i = i + 1) begin
                    if (now - closed[i] < T_RP) breach(BAD_RP);
                    if (now - activated[i] < T_RC) breach(BAD_RC);
                end
                if (bursting) breach(BAD_BURST);
                if (refreshes >= REFRESHES
                    && now - row_refreshed[refreshes % REFRESHES] > 64'd1 * REFRESHES * INTERVAL)
                    breach(BAD_RETENTION);
                row_refreshed[refreshes % REFRESHES] = now;
                refreshed = now;
                refreshes = refreshes + 1;
                debt = debt - OWED;
                if (debt < LEAST_OWED) debt = LEAST_OWED;
            end
            MODE: begin
                if (opened != 0) breach(BAD_OPEN);
                if (!closed_all) breach(BAD_INIT);
                for (i = 0; i < BANKS; i = i + 1) if (now - closed[i] < T_RP) breach(BAD_RP);
                if (bank != 0 || (address >> 7) != 0 || address[3]
                    || address[2:0] > 3'd3 || (address[6:4] != 3'd2 && address[6:4] != 3'd3))
                    breach(BAD_MODE);
                burst_length = 4'd1 << address[2:0];
                latency = address[6:4];
                mode_cycle = cycle;
                mode_set = 1'b1;
            end
            default: breach(BAD_COMMAND);
        endcase

        // ---- refreshes in time ----
        if (initialised) begin
            debt = debt + STEP;
            if (debt > MOST_OWED) begin
                breach(BAD_LATE);
                debt = debt - OWED;
            end
        end

        // ---- data ----
        drove_before = drove;
        drove = driving;
        driving = pipe_valid[0];
        dq_out <= pipe_valid[0] ? pipe[0] : noise[WIDTH-1:0];
        noise = {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};
        pipe[0] = pipe[1];
        pipe[1] = pipe[2];
        pipe_valid = pipe_valid >> 1;

        // The beats of a burst stay in its block of columns.
        place_column = burst_column;
        for (i = 0; i < 3; i = i + 1)
            if ((4'd1 << i) < burst_length)
                place_column[i] = burst_column[i] ^ burst_beat[i];
        {place, lane} = {burst_bank, burst_row, place_column};
        if (bursting && !burst_writes) begin
            pipe[latency - 2] = cells[place][WIDTH * lane +: WIDTH];
            pipe_valid[latency - 2] = 1'b1;
        end
        if (bursting && burst_writes) begin
            if (!dq_driven) breach(BAD_DRIVEN);
            if (!mask) cells[place][WIDTH * lane +: WIDTH] = dq_in;
            else breach(BAD_MASK);
            written[burst_bank] = now;
            written_cycle[burst_bank] = cycle;
        end else if (dq_driven) breach(BAD_DRIVEN);
        // Pins change hands with an edge at which nobody drives them.
        if (dq_driven && (drove || drove_before)) breach(BAD_CONTENTION);
        if (masked_2 && drove) breach(BAD_MASK);
        masked_2 = masked_1;
        masked_1 = mask;
    end
endmodule
