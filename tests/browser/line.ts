import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A line to the server that can be cut. */
export class Line {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly target: string,
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async to(target: string): Promise<Line> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const line = new Line(target, server, (server.address() as AddressInfo).port);
    server.on("connection", (near) => line.carry(near));
    return line;
  }

  /** The address with this line in between. */
  through(url: string): string {
    return url.replace(`:${this.target}/`, `:${this.port}/`);
  }

  cut(): void {
    this.server.close();
    this.sockets.forEach((socket) => socket.destroy());
  }

  async mend(): Promise<void> {
    this.server.listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
  }

  private carry(near: Socket): void {
    const far = connect(Number(this.target), "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.sockets.add(one);
      one.on("close", () => {
        this.sockets.delete(one);
        other.destroy();
      });
      // Whoever hangs up may do so in the middle of a word; closing follows.
      one.on("error", () => other.destroy());
    }
  }
}
