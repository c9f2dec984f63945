export default function Home() {
  return <h1>Say how each page is made.</h1>
}
