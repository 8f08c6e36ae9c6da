import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // The server lets in the origin that it was told, so another port would not do.
  server: { port: 5173, strictPort: true },
  preview: { port: 5173, strictPort: true },
});
