export default function Write() {
  return (
    <>
      <h1>Write a note</h1>
      <form className="write">
        <label>Title <input name="title"/></label>
        <button>Keep it</button>
      </form>
    </>
  )
}
